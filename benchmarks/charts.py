"""Charts of results as SVG, readable on light and on dark pages.

They hold no scripts and nothing from the network. The elements are built as a tree, so that every
text is escaped when it is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import floor, log10
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from benchmarks.results import Curve, Results, Row

FOLDER = Path(__file__).parent / "charts"
SPEED = "speed"

_STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600; font-size: 15px }
.note, .tick { fill: #59636e; font-size: 12px }
.grid { stroke: #d1d9e0 }
.one { stroke: #59636e }
.goal { stroke: #cf222e; stroke-width: 2 }
.bar, .dot0 { fill: #0969da } .dot1 { fill: #8250df }
.line0 { stroke: #0969da } .line1 { stroke: #8250df; stroke-dasharray: 5 3 }
.line0, .line1 { fill: none; stroke-width: 2 }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc }
  .note, .tick { fill: #9198a1 }
  .grid { stroke: #3d444d }
  .one { stroke: #9198a1 }
  .goal { stroke: #ff7b72 }
  .bar, .dot0 { fill: #4493f8 } .dot1 { fill: #ab7df8 }
  .line0 { stroke: #4493f8 } .line1 { stroke: #ab7df8 }
}
"""

_WIDTH = 820
_LABELS = 430  # the width that the names of the bars take
_BAR = 26  # from one bar to the next
_PLOT = (70, 60, 560, 260)  # left, top, width, height of the curves


def write(results: Results, folder: Path = FOLDER) -> None:
    """Write all charts into a folder."""
    folder.mkdir(exist_ok=True)
    charts = {SPEED: speed_chart(results)}
    for suite in results.suites:
        charts |= {curve.key: growth_chart(curve) for curve in suite.curves}
    for name, text in charts.items():
        (folder / f"{name}.svg").write_text(text, encoding="utf-8")


def speed_chart(results: Results) -> str:
    """Return the chart of all ratios that have a goal, with the goals."""
    bars = [
        (case.title, row, row.ratio)
        for suite in results.suites
        for case in suite.cases
        for row in case.rows
        if row.ratio is not None and row.goal is not None
    ]
    height = 84 + _BAR * len(bars)
    root = _root(height, "How many times as fast as the peer or the bare driver")
    _text(root, 16, 46, "Measured side by side in one run. The red mark is the goal.", "note")
    ratios = [ratio for _, row, ratio in bars for ratio in (ratio, row.goal or ratio)]
    axis = _LogAxis([*ratios, 0.5, 2], _LABELS, _WIDTH - 60)
    for tick in axis.ticks():
        x = axis.at(tick)
        _line(root, x, 58, x, height - 24, "one" if tick == 1 else "grid")
        _text(root, x, height - 8, f"{tick:g}x", "tick", anchor="middle")
    for number, (title, row, ratio) in enumerate(bars):
        _bar(root, axis, 62 + number * _BAR, f"{title}: {row.name}", row, ratio)
    return _svg(root)


def growth_chart(curve: Curve) -> str:
    """Return the chart of a curve; both axes are logarithmic."""
    left, top, width, height = _PLOT
    root = _root(top + height + 56, curve.title)
    _text(root, 16, 46, curve.unit, "note")
    across = _LogAxis(curve.places, left, left + width)
    values = [each for line in curve.lines for each in line.values]
    up = _LogAxis(_enclosing(min(values), max(values)), top + height, top)
    for tick in up.ticks():
        _line(root, left, up.at(tick), left + width, up.at(tick), "grid")
        _text(root, left - 8, up.at(tick) + 4, f"{tick:,g}", "tick", anchor="end")
    for place in curve.places:
        _text(root, across.at(place), top + height + 20, f"{place:,}", "tick", anchor="middle")
    _text(root, left + width / 2, top + height + 42, curve.across, "note", anchor="middle")
    for number, line in enumerate(curve.lines):
        points = [
            (across.at(place), up.at(value))
            for place, value in zip(curve.places, line.values, strict=True)
        ]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        SubElement(root, "polyline", {"class": f"line{number % 2}", "points": path})
        for (x, y), value in zip(points, line.values, strict=True):
            dot = SubElement(root, "circle", {"class": f"dot{number % 2}", "r": "3"})
            dot.attrib |= {"cx": f"{x:.1f}", "cy": f"{y:.1f}"}
            SubElement(dot, "title").text = f"{line.name}: {value:,.4g}"
        _text(root, points[-1][0] + 10, points[-1][1] + 4, line.name)
    return _svg(root)


class _LogAxis:
    """A logarithmic axis from the least value to the greatest.

    Args:
        values: The values, above 0.
        start: The place of the lower end in the picture.
        end: The place of the upper end.
    """

    def __init__(self, values: Sequence[float], start: float, end: float) -> None:
        self._low, self._high = log10(min(values)), log10(max(values))
        if self._low == self._high:
            self._high += 1
        self._start, self._end = start, end

    def at(self, value: float) -> float:
        """Return the place of a value."""
        share = (log10(value) - self._low) / (self._high - self._low)
        return self._start + share * (self._end - self._start)

    def ticks(self) -> Iterator[float]:
        """Yield the round values on the axis."""
        for tick in _round_values(self._low, self._high):
            if self._low <= log10(tick) <= self._high:
                yield tick


def _enclosing(low: float, high: float) -> tuple[float, float]:
    """Return the last round value up to ``low`` and the first one from ``high`` on."""
    near = [*_round_values(log10(low), log10(high))]
    return max(each for each in near if each <= low), min(each for each in near if each >= high)


def _round_values(low: float, high: float) -> Iterator[float]:
    """Yield 1, 2 and 5 times each power of ten around a range of exponents."""
    for power in range(floor(low), floor(high) + 2):
        for first in (1, 2, 5):
            yield float(f"{first}e{power}")


def _bar(root: Element, axis: _LogAxis, y: float, name: str, row: Row, ratio: float) -> None:
    _text(root, _LABELS - 12, y + 14, _shortened(name), anchor="end")
    start, end = sorted((axis.at(1), axis.at(ratio)))
    bar = SubElement(root, "rect", {"class": "bar", "rx": "2", "height": "16"})
    bar.attrib |= {"x": f"{start:.1f}", "y": f"{y + 2:.1f}", "width": f"{end - start:.1f}"}
    SubElement(bar, "title").text = f"{name}: {ratio:.2f} times as fast as {row.against}"
    if row.goal is not None:
        goal = axis.at(row.goal)
        _line(root, goal, y - 1, goal, y + 21, "goal")
        end = max(end, goal)
    _text(root, end + 6, y + 14, f"{ratio:.3g}x")


def _shortened(text: str, limit: int = 54) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _root(height: float, title: str) -> Element:
    root = Element("svg", xmlns="http://www.w3.org/2000/svg", role="img")
    root.attrib |= {"viewBox": f"0 0 {_WIDTH} {height:g}", "aria-label": title}
    SubElement(root, "style").text = _STYLE
    _text(root, 16, 26, title, "title")
    return root


def _text(
    root: Element, x: float, y: float, text: str, cls: str = "", *, anchor: str = "start"
) -> None:
    element = SubElement(root, "text", {"x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor})
    if cls:
        element.set("class", cls)
    element.text = text


def _line(root: Element, x1: float, y1: float, x2: float, y2: float, cls: str) -> None:
    ends = {"x1": f"{x1:.1f}", "y1": f"{y1:.1f}", "x2": f"{x2:.1f}", "y2": f"{y2:.1f}"}
    SubElement(root, "line", {"class": cls, **ends})


def _svg(root: Element) -> str:
    indent(root)
    return tostring(root, encoding="unicode") + "\n"
