"""The command's side of a tracker: ids go out as far as the tracker has dealt with earlier ones, and nobody waits.

Everything happens in ``pump``, which takes microseconds: it reads answers without waiting, and writes no more than a
pipe holds. A tracker that refuses, dies or does not answer is ended, and the reason is kept in ``trouble``.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from intdim.launch.local import ROOT
from intdim.launch.process import WorkerProcess
from intdim.request import TrackRequest
from intdim.spec import to_dict
from intdim.track.feed import MOVED
from intdim.track.process import REFUSED

WINDOW = 16  # messages that may be unanswered; of at most 100 bytes each, they fit into any pipe
LIMIT = 2000  # messages that wait here
PATIENCE = 120.0  # seconds without an answer; the first one waits for the import of the package
POLL_SECONDS = 0.05
Message = tuple[str, str, str]  # what happened, to what kind, and its id


class Sender:
    """A tracker's process and the messages for it.

    Args:
        request: which tracker.
        out: the ledger.
        patience: seconds without an answer after which it is ended.
        limit: messages that may wait.
        program: what starts the process, in place of ``intdim.track.process``.
    """

    def __init__(
        self,
        request: TrackRequest,
        out: Path,
        patience: float = PATIENCE,
        limit: int = LIMIT,
        program: Sequence[str] = ("-m", "intdim.track.process"),
    ) -> None:
        self.request, self.out, self.patience, self.limit = request, out, patience, limit
        self.log = out / "track" / f"{request.name}.log"
        self.trouble = ""  # why the tracker was left alone
        self.dropped = 0  # messages for which there was no room
        self._program = list(program)
        self._waiting: deque[Message] = deque()
        self._unanswered: deque[float] = deque()  # when each was sent, or became the oldest
        self._process: WorkerProcess | None = None

    @property
    def idle(self) -> bool:
        """True where nothing waits and everything is answered, or the tracker was left alone."""
        return bool(self.trouble) or not (self._waiting or self._unanswered)

    @property
    def full(self) -> bool:
        """True where there is no room for a message."""
        return len(self._waiting) >= self.limit

    def post(self, message: Message) -> None:
        """Take a message along; without room it is dropped, and the ledger still has what it is about."""
        if not self.trouble:
            if message[0] != MOVED or message not in self._waiting:
                if self.full:
                    self.dropped += message[0] != MOVED
                else:
                    self._waiting.append(message)
            self.pump()

    def pump(self) -> None:
        """Take answers and send what the tracker has room for."""
        if self.trouble:
            return
        if self._process is None:
            if not self._waiting:
                return
            self._start()
        if self._process is not None:
            self._receive(self._process)
        if self._process is not None:
            self._send(self._process)

    def wait(self, seconds: float) -> None:
        """Pump until everything is answered, for at most so many seconds."""
        deadline = time.monotonic() + seconds
        self.pump()
        while not self.idle and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
            self.pump()

    def close(self, seconds: float) -> None:
        """Let the tracker end within so many seconds, then end it. Messages that wait are given up by then."""
        deadline = time.monotonic() + seconds
        try:
            self.wait(seconds)
            if self._process is not None and not self.idle:
                self._leave(f"it was not done {seconds:g} s after the end of the command")
            if self._process is not None:
                process, self._process = self._process, None
                process.ask_to_end(now=False)
                if process.wait_for_end(deadline + 1.0 - time.monotonic()):
                    self.trouble = self.trouble or "it did not end well"
        finally:
            self._kill()

    # -- the process -------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        paths = filter(None, [os.environ.get("PYTHONPATH", ""), str(ROOT)])
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1"}
        given = [json.dumps(to_dict(self.request)), str(self.out.absolute())]
        try:
            self._process = WorkerProcess([sys.executable, "-P", *self._program, *given], environment, self.log)
        except OSError as error:
            self.trouble = f"it cannot be started: {error}"

    def _receive(self, process: WorkerProcess) -> None:
        try:
            events, gone = process.receive()
        except (OSError, ValueError) as error:
            return self._leave(f"its answers cannot be read: {error}")
        for event in events:
            if event.get("kind") == REFUSED:
                return self._leave(str(event["data"]["message"]))
            if self._unanswered:
                self._unanswered.popleft()
            if self._unanswered:
                self._unanswered[0] = time.monotonic()
        if gone:
            return self._leave("its process died")
        if self._unanswered and time.monotonic() - self._unanswered[0] > self.patience:
            return self._leave(f"it has not answered for {self.patience:g} s")
        return None

    def _send(self, process: WorkerProcess) -> None:
        while self._waiting and len(self._unanswered) < WINDOW:
            try:
                process.send(json.dumps(self._waiting.popleft()).encode() + b"\n")
            except OSError as error:
                return self._leave(f"nothing can be sent to it: {error}")
            self._unanswered.append(time.monotonic())
        return None

    def _leave(self, why: str) -> None:
        """End the tracker, and keep why."""
        self.trouble = why
        self._waiting.clear()
        self._unanswered.clear()
        self._kill()

    def _kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.wait_for_end(0.0)
