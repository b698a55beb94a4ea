"""Texts for people are printable and bounded, whatever is in them."""

from __future__ import annotations

import re
from collections.abc import Callable

from eventhus import EventhusError, StreamId
from eventhus.adapter_support import summary
from eventhus.errors import (
    BusUnavailable,
    CodecError,
    CommandIdReused,
    ConcurrencyError,
    IncompatibleBucket,
    InvalidArgument,
    LeaseLost,
    LogChanged,
    LogCorrupted,
    OutcomeUnknown,
    ReaderBusy,
    ReaderStopped,
    StoreUnavailable,
    TooManyConflicts,
)
from eventhus.printable import LONGEST, printable
from eventhus_testing.reports.words import MAX_CHARACTERS, in_words, one_line
from eventhus_testing.texts.page import SAME, mark, page
from eventhus_testing.texts.printable import LONGEST_LINE, encodable
from tests.fuzz.hostile import Hostile
from tests.fuzz.inputs import for_each

ESCAPED = len("\\U0001f3e6")  # the longest escape of one character
MORE = 50  # characters that say how many are left out

UNSAFE = re.compile(
    r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Control characters, bidirectional marks and halves of surrogate pairs."""

ERRORS: list[Callable[[str, StreamId], EventhusError]] = [
    lambda text, _: InvalidArgument(text),
    lambda text, stream: CodecError(text, text, text, stream, 1),
    lambda _, stream: ConcurrencyError(stream, 1, 2),
    lambda _, stream: TooManyConflicts(stream, 2),
    lambda text, stream: CommandIdReused(text, stream, stream),
    lambda _, stream: LogCorrupted(stream, 1, 2),
    lambda text, _: LogChanged(text, 1, text, text),
    lambda text, stream: OutcomeUnknown(text, text, stream, text),
    lambda text, _: StoreUnavailable(text, text),
    lambda text, _: BusUnavailable(text, text),
    lambda text, _: IncompatibleBucket(text, text),
    lambda text, _: LeaseLost(text, 1),
    lambda text, stream: ReaderStopped(text, stream, 1, 1, text),
    lambda text, _: ReaderBusy(text),
]


def test_texts_of_the_kernel() -> None:
    def check(hostile: Hostile) -> None:
        whole = hostile.whole_text() or "a"
        error = hostile.random.choice(ERRORS)(hostile.text(), StreamId(whole, whole))
        for text in (printable(hostile.text()), str(error), summary(error)):
            assert text.isprintable()
            assert len(text) <= LONGEST * ESCAPED + MORE

    for_each("kernel texts", 0.1, check)


def test_texts_of_the_kit() -> None:
    def check(hostile: Hostile) -> None:
        given = hostile.text()
        encodable(given).encode()
        for line in (one_line(given), in_words(hostile.plain())):
            assert not UNSAFE.search(line)
            assert len(line) <= MAX_CHARACTERS + len(" …")
        lines = page(given, [("when", mark(SAME, [given, hostile.text()]))]).split("\n")
        assert not any(map(UNSAFE.search, lines))
        assert max(map(len, lines)) <= LONGEST_LINE + MORE

    for_each("kit texts", 0.05, check)
