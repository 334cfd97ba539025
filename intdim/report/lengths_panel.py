"""Under the curve of a sweep: the step length of each run, at its d."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from intdim.report.curve import Mark
from intdim.report.style import RUN

GAP = 0.1  # inches between the curve and the panel


def lengths_height(marks: Sequence[Mark], size: float) -> float:
    """Return the height of the panel in inches, the gap above it included; 0 where no run has a step length."""
    lengths = {mark.step_length for mark in marks if mark.step_length}
    return GAP + 1.5 * size / 72 * max(3, min(len(lengths) + 1, 6)) if lengths else 0.0


def draw_lengths(axes: Axes, marks: Sequence[Mark], ends: tuple[float, float], size: float) -> None:
    """Draw a mark for each run, d on the axis of the curve and s upwards, both on log scales."""
    there = [(mark.d, mark.step_length) for mark in marks if mark.d is not None and mark.step_length]
    ds, lengths = zip(*there, strict=True)
    low, high = min(lengths) / 1.6, max(lengths) * 1.6
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(*ends)
    axes.set_ylim(low, high)
    axes.plot(ds, lengths, "o", markersize=0.36 * size, color=RUN, alpha=0.6, markeredgewidth=0)

    ticks = _ticks(sorted(set(lengths)))
    axes.yaxis.set_major_locator(FixedLocator(ticks))
    axes.yaxis.set_major_formatter(FixedFormatter([f"{tick:g}" for tick in ticks]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.tick_params(labelsize=size, length=2.5, pad=2)
    axes.set_ylabel("step\nlength", size=size, labelpad=3, linespacing=1.0)
    axes.spines[["top", "right"]].set_visible(False)


def _ticks(lengths: Sequence[float]) -> list[float]:
    """Return the smallest and the largest length, and those between that are a factor of 3 from what is labelled."""
    kept = [lengths[0]]
    for one in lengths[1:-1]:
        if one >= 2.9 * kept[-1] and lengths[-1] >= 2.9 * one:
            kept.append(one)
    return [*kept, lengths[-1]] if lengths[-1] >= 1.5 * kept[-1] else kept
