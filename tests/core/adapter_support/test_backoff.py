"""The one back-off formula of kernel and adapters."""

from random import Random

import pytest

from eventhus.adapter_support import Backoff


@pytest.mark.parametrize(
    ("failures", "delay_s"), [(0, 0.1), (1, 0.1), (2, 0.2), (3, 0.4), (9, 25.6), (10, 30.0)]
)
def test_delays_double_up_to_the_cap(failures: int, delay_s: float) -> None:
    assert delay_s == pytest.approx(Backoff(0.1, 30.0).delay_s(failures))


def test_any_number_of_failures_has_a_delay() -> None:
    """2.0 ** 2000 would overflow."""
    assert 30.0 == Backoff(0.1, 30.0).delay_s(2000)


def test_jitter_spreads_over_the_whole_delay() -> None:
    random = Random(1)
    delays = [Backoff(0.1, 30.0).jittered_s(3, random) for _ in range(1000)]
    assert 0 <= min(delays) < 0.01
    assert 0.39 < max(delays) <= 0.4
