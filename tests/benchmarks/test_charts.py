"""The charts of benchmarks."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

from benchmarks.charts import FOLDER, SPEED, growth_chart, speed_chart, write
from benchmarks.results import FILE, Curve, Line, Measured, Results, Row, Suite, load

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = 'a <script>alert(1)</script> & "b" ]]>'


def suite(title: str, *rows: Row, curves: tuple[Curve, ...] = ()) -> Suite:
    return Suite(
        name="s",
        versions=(),
        machine="",
        load=0.0,
        rounds=1,
        cases=(Measured(title, rows),),
        curves=curves,
    )


def row(ratio: float | None, goal: float | None = 2.0) -> Row:
    return Row(name="ours", median_us=1, min_us=1, max_us=1, against="x", ratio=ratio, goal=goal)


def curve(title: str = "t", values: tuple[float, ...] = (1.0, 10.0)) -> Curve:
    return Curve(
        key="growing",
        title=title,
        across=title,
        unit="u",
        places=(1, 100),
        lines=(Line(title, values),),
    )


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(svg).iter(f"{SVG}text")]


def test_every_ratio_with_a_goal_has_a_bar_with_its_goal() -> None:
    svg = speed_chart(Results((suite("case", row(4.0), row(0.5), row(None), row(3.0, None)),)))
    root = ET.fromstring(svg)
    assert 2 == len([*root.iter(f"{SVG}rect")])
    assert 2 == len([line for line in root.iter(f"{SVG}line") if line.get("class") == "goal"])
    assert {"4x", "0.5x", "case: ours"} <= set(texts(svg))


def test_a_slower_bar_ends_where_a_faster_one_begins() -> None:
    slow, fast = ET.fromstring(speed_chart(Results((suite("case", row(0.5), row(4.0)),)))).iter(
        f"{SVG}rect"
    )
    end = float(slow.attrib["x"]) + float(slow.attrib["width"])
    assert abs(end - float(fast.attrib["x"])) < 0.2


def test_texts_are_escaped() -> None:
    for svg in (speed_chart(Results((suite(HOSTILE, row(1.5)),))), growth_chart(curve(HOSTILE))):
        assert "<script" not in svg
        assert any(HOSTILE[:20] in text for text in texts(svg))


def test_charts_load_nothing_and_follow_the_page_in_light_and_dark() -> None:
    for svg in (speed_chart(Results((suite("case", row(1.5)),))), growth_chart(curve())):
        assert "prefers-color-scheme: dark" in svg
        assert not re.findall(r"href|@import|url\(|https?://(?!www\.w3\.org/2000/svg)", svg)
        assert ET.fromstring(svg).get("aria-label")


def test_higher_values_are_higher_up() -> None:
    low, high = ET.fromstring(growth_chart(curve(values=(1.0, 10.0)))).iter(f"{SVG}circle")
    assert float(low.attrib["cy"]) > float(high.attrib["cy"])
    assert float(low.attrib["cx"]) < float(high.attrib["cx"])


def test_close_values_lie_between_values_of_the_axis() -> None:
    for values, ticks in [
        ((1400.0, 4100.0), {"1,000", "2,000", "5,000"}),
        ((3000.0, 3000.0), {"2,000", "5,000"}),
        ((0.06, 0.09), {"0.05", "0.1"}),
    ]:
        found = {*texts(growth_chart(curve(values=values)))}
        assert ticks == found - {"t", "u", "1", "100"}


def test_equal_values_can_be_drawn() -> None:
    assert 2 == len([*ET.fromstring(growth_chart(curve(values=(3.0, 3.0)))).iter(f"{SVG}circle")])


def test_every_curve_has_a_file(tmp_path: Path) -> None:
    write(Results((suite("case", row(1.5), curves=(curve(),)),)), tmp_path / "charts")
    assert {"speed.svg", "growing.svg"} == {path.name for path in (tmp_path / "charts").iterdir()}


def test_the_committed_charts_show_the_committed_results(tmp_path: Path) -> None:
    assert FILE.exists()
    write(load(), tmp_path)
    for path in tmp_path.iterdir():
        assert path.read_text() == (FOLDER / path.name).read_text()
    assert (FOLDER / f"{SPEED}.svg").exists()
