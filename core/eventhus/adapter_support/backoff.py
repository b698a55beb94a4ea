"""Exponential back-off: how long to wait after failures in a row."""

from random import Random

from attrs import frozen

_MOST_DOUBLINGS = 64  # a float holds far more, and no cap needs them


@frozen
class Backoff:
    """A delay that doubles with every failure in a row, up to a cap.

    Attributes:
        first_s: The delay after the first failure, in seconds.
        cap_s: The longest delay, in seconds.
    """

    first_s: float
    cap_s: float

    def delay_s(self, failures: int) -> float:
        """Return the delay in seconds after ``failures`` in a row, counted from 1.

        >>> Backoff(first_s=0.1, cap_s=30.0).delay_s(3)
        0.4
        """
        doublings = min(max(failures - 1, 0), _MOST_DOUBLINGS)
        return min(self.cap_s, self.first_s * 2.0**doublings)

    def jittered_s(self, failures: int, random: Random) -> float:
        """Return a random delay in seconds between 0 and ``delay_s(failures)``.

        It spreads out writers that have collided. Source: "full jitter" in
        "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
        """
        return random.uniform(0, self.delay_s(failures))
