"""Work on a GPU that is recorded once for each shape of its inputs, as a CUDA graph, and then replayed.

A small model's step is a thousand launches from Python, which take longer than the work itself; a replay is one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from intdim.errors import first_line

EAGER_CALLS = 2  # of a shape, before it is recorded: libraries choose their kernels, lasting memory is taken
MOST_SHAPES = 24  # recorded; a rarer shape is not worth a recording

Key = tuple[tuple[str, tuple[int, ...], torch.dtype], ...]


class Replay:
    """A function of tensors, called as it is at first, and by replaying its recording from then on.

    What the function reads and changes beside its inputs must stay where it is in memory, and it may not wait for the
    device. It draws dropout from the device's generator, whose seed and place count at each replay as they do in a
    plain call, if both choose the same kernels. All calls must be made under one stream; under the default stream
    nothing is recorded.

    Args:
        function: of named tensors on the device; what it returns must be used before the next call.
        undo: puts everything back that a call which broke off may have left half done.
        say: takes one line if recording fails; the function is then called as it is.
        pool: memory that several recordings share, if they are never used at the same time.
    """

    def __init__(
        self,
        function: Callable[[dict[str, Tensor]], Any],
        *,
        undo: Callable[[], None],
        say: Callable[[str], None],
        pool: Any = None,
    ) -> None:
        self.function, self.undo, self.say, self.pool = function, undo, say, pool
        self.calls: Counter[Key] = Counter()
        self.recorded: dict[Key, tuple[torch.cuda.CUDAGraph, dict[str, Tensor], Any]] = {}
        self.failed = False

    def __call__(self, inputs: dict[str, Tensor]) -> Any:
        """Return what the function returns for ``inputs``."""
        key = tuple((name, tuple(tensor.shape), tensor.dtype) for name, tensor in inputs.items())
        if key not in self.recorded:
            self.calls[key] += 1
            rare = self.calls[key] <= EAGER_CALLS or len(self.recorded) >= MOST_SHAPES
            if self.failed or rare or not _may_record() or not self._record(key, inputs):
                return self.function(inputs)

        graph, places, result = self.recorded[key]
        for name, place in places.items():
            place.copy_(inputs[name], non_blocking=True)
        graph.replay()
        return result

    def _record(self, key: Key, inputs: dict[str, Tensor]) -> bool:
        """Record the function for inputs of these shapes; return whether that worked."""
        places = {name: tensor.clone() for name, tensor in inputs.items()}
        graph = torch.cuda.CUDAGraph()
        torch.cuda.synchronize()
        if not self.recorded:
            torch.cuda.empty_cache()  # what plain calls have used: a recording has memory of its own
        try:
            # not torch.cuda.graph(), which collects garbage each time: half of what a small model's recording takes
            graph.capture_begin(pool=self.pool, capture_error_mode="thread_local")
            try:
                result = self.function(places)
            finally:
                graph.capture_end()
        except Exception as error:  # whatever a model does that cannot be recorded: it runs all the same
            cause = error.__context__ or error  # ending a recording that broke off is an error of its own
            if isinstance(cause, torch.OutOfMemoryError):
                _renew_generator()
                raise cause from None
            self.failed = True
            _renew_generator()
            self.undo()
            self.say(f"steps are launched one by one: they cannot be recorded as a CUDA graph ({first_line(cause)})")
            return False

        self.recorded[key] = graph, places, result
        return True


def _may_record() -> bool:
    return torch.cuda.current_stream() != torch.cuda.default_stream()


def _renew_generator() -> None:
    """Give the device's generator a state that no broken recording holds, with the same seed and place."""
    torch.cuda.synchronize()
    generator = torch.cuda.default_generators[torch.cuda.current_device()]
    generator.graphsafe_set_state(generator.clone_state())
