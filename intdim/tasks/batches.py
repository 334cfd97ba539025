"""Batches of examples of about the same length: random, but with little padding.

Sorting all examples by length would waste no padding and would make every epoch the same; here an epoch is shuffled,
cut into pools of about 50 batches, sorted inside each pool, cut into batches, and the batches are shuffled. Measured
share of padding at batches of 32: MRPC 1.5 %, SST-2 (whose lengths spread most) 4.7 %; plainly shuffled batches waste
34 % and 67 %. Pools of 25 would be twice as random and pad twice as much.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from intdim.tasks.stored import Split

POOL = 50  # batches; more pad less and are less random
WIDTHS = 32  # tokens: batches on a GPU are padded to a multiple of it


def epoch(split: Split, batch_size: int, seed: int, epoch: int) -> list[Tensor]:
    """Return the batches of one epoch as row numbers (int64); every row occurs exactly once.

    There are ceil(N / batch_size) batches, one of them possibly smaller. They depend on (seed, epoch) and the lengths
    alone, not on any global random state.
    """
    lengths = split.lengths.numpy()
    count = len(lengths)
    rng = np.random.default_rng([seed, epoch])
    order = rng.permutation(count)
    whole = -(-count // batch_size)
    pools = max(1, round(whole / POOL))
    made: list[Tensor] = []
    for number in range(pools):
        first, last = whole * number // pools, whole * (number + 1) // pools
        pool = order[first * batch_size : last * batch_size]
        pool = pool[np.argsort(lengths[pool], kind="stable")]  # ties stay in shuffled order
        sizes = [batch_size] * (len(pool) // batch_size)
        if len(pool) % batch_size:  # the smaller batch may hold the short, the long or middling examples
            sizes.insert(int(rng.integers(len(sizes) + 1)), len(pool) % batch_size)
        made += [torch.from_numpy(part.copy()) for part in np.split(pool, np.cumsum(sizes)[:-1])]
    return [made[at] for at in rng.permutation(len(made))]


def sequential(split: Split, batch_size: int, index: Tensor | None = None) -> list[Tensor]:
    """Return batches of the rows ``index`` (default: all) from the longest to the shortest, for evaluation."""
    rows = torch.arange(len(split.lengths)) if index is None else index
    order = torch.argsort(split.lengths[rows], descending=True, stable=True)
    return list(torch.split(rows[order], batch_size))


def collate(split: Split, index: Tensor, pad_id: int, device: torch.device | str) -> dict[str, Tensor]:
    """Return what a model takes, padded to the batch's longest example, and the labels.

    For a GPU the width is raised to a multiple of ``WIDTHS``, though not beyond the longest example of the split: work
    there is recorded for each width.

    ``input_ids``, ``attention_mask`` and, where the tokenizer makes them, ``token_type_ids``: int64 (B, T).
    ``labels``: int64 (B,) class numbers or float32 (B,) scores. Padding is on the side the tokenizer says.
    """
    lengths = split.lengths[index]
    width = int(lengths.max())
    on_gpu = torch.device(device).type == "cuda"
    if on_gpu:
        width = min(-(-width // WIDTHS) * WIDTHS, int(split.lengths.max()))
    place = torch.arange(width).expand(len(index), width)
    if split.pad_left:
        place = place - (width - lengths)[:, None]
    mask = (place >= 0) & (place < lengths[:, None])
    source = (split.offsets[index][:, None] + place)[mask]
    made = {"input_ids": torch.full(mask.shape, pad_id, dtype=torch.int64), "attention_mask": mask.to(torch.int64)}
    made["input_ids"][mask] = split.ids[source].to(torch.int64)
    if split.types is not None:
        made["token_type_ids"] = torch.full(mask.shape, split.pad_type, dtype=torch.int64)
        made["token_type_ids"][mask] = split.types[source].to(torch.int64)
    made["labels"] = split.labels[index]
    if on_gpu:  # from pinned memory a copy waits for nothing
        made = {name: tensor.pin_memory() for name, tensor in made.items()}
    return {name: tensor.to(device, non_blocking=True) for name, tensor in made.items()}


def waste(split: Split, batches: list[Tensor]) -> float:
    """Return the share of padding among all tokens of the given batches, in [0, 1)."""
    useful = sum(int(split.lengths[rows].sum()) for rows in batches)
    padded = sum(len(rows) * int(split.lengths[rows].max()) for rows in batches)
    return 1 - useful / padded
