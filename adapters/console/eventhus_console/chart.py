"""The lag of readers over time, as the geometry of a picture.

The scale is logarithmic, so that a reader that is 20 events behind is seen beside one that is a
million behind.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime

from attrs import frozen

from eventhus_console.samples import Sample

WIDTH, HEIGHT = 720, 150
MOST_CURVES = 6
POINTS = 180  # more cannot be told apart at this width


@frozen
class Curve:
    """One reader.

    Attributes:
        label: The reader.
        strokes: The parts of its curve, as the points of polylines. It breaks where nothing is
            known.
        last: The newest value.
        most: The highest value.
    """

    label: str
    strokes: Sequence[str]
    last: int
    most: int


@frozen
class Chart:
    """The curves and the labels of the axes.

    Attributes:
        curves: Those of the readers that lagged most, in the order of their names.
        others: How many readers are left out.
        levels: The values of the lines across the picture, and where each is.
        since: The time at its left.
        until: The time at its right.
    """

    curves: Sequence[Curve]
    others: int
    levels: Sequence[tuple[int, float]]
    since: datetime
    until: datetime


def lag_chart(samples: Sequence[Sample]) -> Chart | None:
    """Return a picture of some samples; ``None`` if there are too few to draw a line."""
    if len(samples) < 2 or not any(each.waiting for each in samples):  # noqa: PLR2004
        return None
    thinned = _thinned(samples)
    labels = sorted({label for each in samples for label in each.waiting})
    most = {
        label: max(each.waiting[label] for each in samples if label in each.waiting)
        for label in labels
    }
    shown = sorted(sorted(labels, key=lambda label: (-most[label], label))[:MOST_CURVES])
    decades = max(len(str(max(most.values()))), 1)

    def height(value: int) -> float:
        return HEIGHT - HEIGHT * math.log10(value + 1) / math.log10(10**decades + 1)

    since, until = samples[0].at, samples[-1].at
    span = (until - since).total_seconds() or 1.0
    curves: list[Curve] = []
    for label in shown:
        strokes: list[list[str]] = [[]]
        last = 0
        for each in thinned:
            value = each.waiting.get(label)
            if value is None:
                strokes.append([])
                continue
            last = value
            x = WIDTH * (each.at - since).total_seconds() / span
            strokes[-1].append(f"{x:.1f},{height(value):.1f}")
        curves.append(Curve(label, [" ".join(each) for each in strokes if each], last, most[label]))
    levels = [
        (value, height(value)) for value in (0, *(10**each for each in range(1, decades + 1)))
    ]
    return Chart(curves, len(labels) - len(shown), levels, since, until)


def _thinned(samples: Sequence[Sample]) -> Sequence[Sample]:
    """Keep the highest of neighbours, so that no peak is lost."""
    size = -(-len(samples) // POINTS)
    return [
        max(samples[start : start + size], key=lambda each: sum(each.waiting.values()))
        for start in range(0, len(samples), size)
    ]
