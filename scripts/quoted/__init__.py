"""The measured figures that documents quote, made from the files in ``scripts/results``."""

from __future__ import annotations

from collections.abc import Callable

from quoted import certificates, cost, gpu, precision, protocol, scopes, search, verdicts

BLOCKS: dict[str, Callable[[], str]] = {
    **verdicts.BLOCKS,
    **search.BLOCKS,
    **protocol.BLOCKS,
    **scopes.BLOCKS,
    **certificates.BLOCKS,
    **cost.BLOCKS,
    **gpu.BLOCKS,
    **precision.BLOCKS,
}
