"""Clock domains beside the reference clock: exact edges, with the first edges of all clocks at time 0."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import lcm

from workloads.errors import InputError

MAX_TICK_HZ = 1 << 63
MAX_ROUNDED = 1 << 20
"""Terms of a ratio of clocks up to which counts of cycles times it stay in 64 bits."""


@dataclass(frozen=True, slots=True)
class OwnClock:
    """The clock of a part that does not run on the reference clock.

    A part takes in what it is given at its first edge at or after that, works whole cycles of its own, and what it has
    done is seen at the first reference edge at or after its last one. Synchronisers are no part of it.

    Parameters
    ----------
    mhz : Fraction
        Of the part.
    ratio : Fraction
        Own clock over reference clock.

    Examples
    --------
    >>> clock = own_clock("fast", Fraction(300), Fraction(200))
    >>> clock.ends(1, 3), clock.least(3)
    (4, 2)
    """

    name: str
    mhz: Fraction
    ratio: Fraction

    def edge(self, cycle: int) -> int:
        """Return the number of the first own edge at or after reference cycle `cycle`."""
        return -(-cycle * self.ratio.numerator // self.ratio.denominator)

    def ends(self, cycle: int, own_cycles: int) -> int:
        """Return the reference cycle at which `own_cycles` that are asked for at `cycle` are seen to be over."""
        last = self.edge(cycle) + own_cycles
        return -(-last * self.ratio.denominator // self.ratio.numerator)

    def least(self, own_cycles: int) -> int:
        """Return the fewest reference cycles that `own_cycles` take, whatever the phase."""
        return -(-own_cycles * self.ratio.denominator // self.ratio.numerator)

    def rounded(self) -> tuple[int, int]:
        """Return reference cycles per own cycles, as two terms whose products with counts fit 64 bits.

        Exact where the ratio's own terms do; else rounded down, by a part in `MAX_ROUNDED` of a reference cycle, so
        that a bound stays one.
        """
        own, reference = self.ratio.numerator, self.ratio.denominator
        if max(own, reference) <= MAX_ROUNDED:
            return reference, own
        return reference * MAX_ROUNDED // own, MAX_ROUNDED

    def phase(self, cycle: int) -> int:
        """Return where between two own edges `cycle` lies; equal phases have equal futures."""
        return cycle * self.ratio.numerator % self.ratio.denominator


def own_clock(name: str, mhz: Fraction, reference_mhz: Fraction) -> OwnClock:
    """Return clock `name` beside the reference clock.

    Raises
    ------
    InputError
        If the two have no common tick at or below 2^63 per second.
    """
    common_hz = lcm((mhz * 10**6).numerator * (reference_mhz * 10**6).denominator,
                    (reference_mhz * 10**6).numerator * (mhz * 10**6).denominator)  # fmt: skip
    denominator = (mhz * 10**6).denominator * (reference_mhz * 10**6).denominator
    if common_hz > MAX_TICK_HZ * denominator:
        raise InputError(
            f"clock '{name}': {float(mhz)!r} MHz and the reference clock of {float(reference_mhz)!r} MHz have a common "
            f"tick of {float(Fraction(common_hz, denominator)):.3g} per second, bound is 2^63; choose a clock with "
            f"fewer digits"
        )
    return OwnClock(name, mhz, mhz / reference_mhz)
