"""Tests of the picture of the lag, of its samples, and of data as text."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.types import Message, Scope

from eventhus import Application
from eventhus.operations import Health, Operations, ReaderStatus
from eventhus_cattrs import CattrsCodec
from eventhus_console import chart, console, plain_data, samples
from eventhus_console.chart import HEIGHT, WIDTH, lag_chart
from eventhus_console.samples import Sample, Samples
from eventhus_memory import MemoryStore
from tests.adapters.console.scene import until

START = datetime(2026, 1, 1, tzinfo=UTC)


def lag(*found: Mapping[str, int]) -> list[Sample]:
    """Return samples, one every five seconds."""
    return [
        Sample(START + timedelta(seconds=5 * number), 0, waiting, 0)
        for number, waiting in enumerate(found)
    ]


def points(stroke: str) -> list[tuple[float, float]]:
    """Return the points of a stroke."""
    return [(float(x), float(y)) for x, y in (each.split(",") for each in stroke.split())]


def test_a_curve_runs_from_the_first_sample_to_the_last() -> None:
    picture = lag_chart(lag({"a": 0}, {"a": 9}, {"a": 99}))
    assert picture is not None
    (curve,) = picture.curves
    (stroke,) = curve.strokes
    assert [x for x, _ in points(stroke)] == [0, WIDTH / 2, WIDTH]
    heights = [y for _, y in points(stroke)]
    assert heights[0] == HEIGHT
    assert heights == sorted(heights, reverse=True)
    assert all(0 <= y <= HEIGHT for y in heights)
    assert (99, 99) == (curve.last, curve.most)
    assert [value for value, _ in picture.levels] == [0, 10, 100]


def test_a_curve_breaks_where_nothing_is_known() -> None:
    picture = lag_chart(lag({"a": 1}, {"a": 1}, {}, {"a": 1}, {"a": 1}))
    assert picture is not None
    assert [len(points(each)) for each in picture.curves[0].strokes] == [2, 2]


def test_readers_with_the_most_lag_are_shown() -> None:
    waiting = {f"r{number}": number for number in range(9)}
    picture = lag_chart(lag(waiting, waiting))
    assert picture is not None
    assert [each.label for each in picture.curves] == ["r3", "r4", "r5", "r6", "r7", "r8"]
    assert picture.others == 3


def test_a_peak_survives_thinning() -> None:
    found = [{"a": 0}] * 700
    found[333] = {"a": 5_000}
    picture = lag_chart(lag(*found))
    assert picture is not None
    (stroke,) = picture.curves[0].strokes
    assert len(points(stroke)) <= chart.POINTS
    assert min(y for _, y in points(stroke)) < HEIGHT / 4


@pytest.mark.parametrize("found", [[], [{"a": 1}], [{}, {}]])
def test_too_few_samples_make_no_picture(found: list[dict[str, int]]) -> None:
    assert lag_chart(lag(*found)) is None


def health(at: datetime, **waiting: int) -> Health:
    """Return the health of some views."""
    return Health(
        at=at,
        is_live=True,
        is_ready=True,
        head=9,
        readers=[
            ReaderStatus(kind="view", name=name, position=0, head=9, waiting=number)
            for name, number in waiting.items()
        ],
    )


def operations() -> Operations:
    """Return operations of an application that is not running."""
    return Operations(Application(bucket="b", store=MemoryStore(), codec=CattrsCodec()))


def test_samples_are_bounded_and_in_order() -> None:
    kept = Samples(operations())
    for number in range(samples.KEPT + 100):
        kept.add(health(START + timedelta(seconds=number), a=number))
    kept.add(health(START, a=0))  # a slow answer that was overtaken
    assert len(kept()) == samples.KEPT
    assert kept()[0].waiting == {"view a": 100}
    assert kept()[-1].waiting == {"view a": samples.KEPT + 99}


async def test_sampling_begins_with_a_visit_and_pauses_without_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(samples, "EVERY_S", 0.01)
    app = Application(bucket="b", store=MemoryStore(), codec=CattrsCodec())
    async with app:
        kept = Samples(Operations(app))
        assert kept.problems is None
        kept.keep_sampling()
        await until(lambda: len(kept()) >= 3)
        assert kept.problems == 0
        monkeypatch.setattr(samples, "IDLE_S", 0.0)
        (task,) = [each for each in asyncio.all_tasks() if each.get_name() == "eventhus console"]
        await until(task.done)


async def test_sampling_ends_with_the_application(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "EVERY_S", 0.01)
    app = Application(bucket="b", store=MemoryStore(), codec=CattrsCodec())
    async with app:
        kept = Samples(Operations(app))
        kept.keep_sampling()
        await until(kept)
    (task,) = [each for each in asyncio.all_tasks() if each.get_name() == "eventhus console"]
    await until(task.done)
    assert task.exception() is None


@pytest.mark.parametrize(
    ("data", "changed", "shown"),
    [
        ({"a": 1, "b": [True, None]}, [], '{|  "a": 1,|  "b": [|    true,|    null|  ]|}'),
        ({}, [], "{}"),
        ([], [""], "*[]"),
        ("text", [], '"text"'),
        ({"a": {"b": 1, "c": 2}}, ["a.b"], '{|  "a": {|*    "b": 1,|    "c": 2|  }|}'),
        ({"a": [1, {"x": 2}]}, ["a[1]"], '{|  "a": [|    1,|*    {|*      "x": 2|*    }|  ]|}'),
        ({"not a name": 1}, ['["not a name"]'], '{|*  "not a name": 1|}'),
    ],
)
def test_data_is_shown_as_json_with_its_changes(data: Any, changed: list[str], shown: str) -> None:
    found, is_cut = plain_data.lines(data, changed)
    text = "|".join(
        ("*" if each.is_changed else "") + each.indent + "".join(text for _, text in each.tokens)
        for each in found
    )
    assert (shown, False) == (text, is_cut)


def test_large_and_deep_data_is_cut() -> None:
    found, is_cut = plain_data.lines([*range(10_000)])
    assert (plain_data.MOST_LINES, True) == (len(found), is_cut)
    deep: Any = 1
    for _ in range(5_000):
        deep = {"a": deep}
    found, is_cut = plain_data.lines(deep)
    assert (2 * plain_data.DEEPEST + 1, False) == (len(found), is_cut)
    assert len(plain_data.preview([*range(10_000)])) <= plain_data.PREVIEW + 2
    assert len(plain_data.preview(deep)) <= plain_data.PREVIEW + 2


async def test_other_protocols_are_not_served() -> None:
    app = console(Application(bucket="b", store=MemoryStore(), codec=CattrsCodec()))
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {"type": "websocket", "path": "/log", "headers": [], "query_string": b""}
    await app(scope, receive, send)
    assert [each["type"] for each in sent] == ["websocket.close"]
