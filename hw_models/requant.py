"""Requantiser: sums of an array become codes of the next layer by a multiplication, a rounding shift and a clamp.

Per channel a bias, a multiplier and a shift; per tile of channels an output zero point and the ends of the clamp, so
that ReLU is a low end at the zero point and ReLU6 a high end too. A residual code may be added at full precision,
before the one rounding. Source: integer-only inference (Jacob et al., CVPR 2018, arXiv 1712.05877), with the doubling
high multiplication replaced by the exact product and a single rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from hw_models.products import IntArray, signed_bits
from workloads.errors import InputError
from workloads.formats import Int

Rounding = Literal["half_up", "half_even"]
ROUNDINGS: tuple[Rounding, ...] = ("half_up", "half_even")
_INT8 = Int(8)


def short_name(form: Int) -> str:
    """Return the format's short name.

    Examples
    --------
    >>> short_name(Int(8)), short_name(Int(4, signed=False))
    ('i8', 'u4')
    """
    return f"{'i' if form.signed else 'u'}{form.bits}"


@dataclass(frozen=True, slots=True)
class RequantParams:
    """Parameters of one requantiser; every result is exact.

    ``y = clamp(zero + round(((x + bias) * multiplier + (r - r_zero) * r_multiplier) / 2**shift), low, high)``; without
    `residual` the second product is not there.

    Parameters
    ----------
    lanes : int
        Channels side by side: accumulators per beat.
    output_format : Int
        Codes that come out; zero point and both ends of the clamp are codes of it.
    accumulator_bits : int
        Width of an accumulator and of a bias, signed.
    multiplier_bits : int
        Width of a multiplier, unsigned.
    rounding : {'half_up', 'half_even'}
        What becomes of a half: the next integer upwards (add ``2**(shift - 1)``, shift right), or the even neighbour.
    residual : Int, optional
        Format of a code that is added to every result; none by default.

    Notes
    -----
    Time of an event is the clock edge that ends its cycle. One vector of `lanes` accumulators in, one of codes out,
    per cycle. The coefficients of a tile of channels go in with its first vector.

    No sum overflows 64 bits: the extremes of the formula are worked out in Python integers at construction, and
    parameters that go beyond are refused.
    """

    lanes: int
    output_format: Int = _INT8
    accumulator_bits: int = 32
    multiplier_bits: int = 31
    rounding: Rounding = "half_up"
    residual: Int | None = None

    #: Operands (the edge of the handshake), biased, product, shifted, offset, clamped, then the handshake.
    FIXED_CYCLES: ClassVar[int] = 6
    #: The sum of both products.
    RESIDUAL_CYCLES: ClassVar[int] = 1
    SHIFT_BITS: ClassVar[int] = 6
    MAX_SHIFT: ClassVar[int] = 47

    def __post_init__(self) -> None:
        for key, value, least, most in (
            ("lanes", self.lanes, 1, 256),
            ("accumulator_bits", self.accumulator_bits, 2, 32),
            ("multiplier_bits", self.multiplier_bits, 16, 31),
            ("output_format", self.output_format.bits, 1, 16),
            *([("residual", self.residual.bits, 1, 16)] if self.residual else []),
        ):
            if not least <= value <= most:
                raise InputError(f"requantiser: {key} is {value}, bound is {least}..{most}; choose a width in it")
        if self.rounding not in ROUNDINGS:
            raise InputError(
                f"requantiser: rounding is '{self.rounding}', bound is {' or '.join(ROUNDINGS)}; choose one of them"
            )
        if max(self.sum_bits, self.value_bits) > 64:
            raise InputError(
                f"requantiser: sums of {self.accumulator_bits}-bit accumulators, {self.multiplier_bits}-bit multipliers"
                f" and a residual need {max(self.sum_bits, self.value_bits)} bits, bound is 64; narrow the multipliers"
            )

    @property
    def name(self) -> str:
        """Name such as ``requant_i32_i8_x4``, ``requant_i32_i8_x4_even`` or ``requant_i32_i8_x4_add_i8``."""
        added = f"_add_{short_name(self.residual)}" if self.residual else ""
        even = "_even" if self.rounding == "half_even" else ""
        return f"requant_i{self.accumulator_bits}_{short_name(self.output_format)}_x{self.lanes}{added}{even}"

    @property
    def accumulator_format(self) -> Int:
        """Value of the format of accumulators and biases."""
        return Int(self.accumulator_bits)

    @property
    def sum_range(self) -> tuple[int, int]:
        """Value of the least and the greatest number that is rounded."""
        most = (1 << self.multiplier_bits) - 1
        reach = self.residual.max - self.residual.min if self.residual else 0
        form = self.accumulator_format
        return (2 * form.min - reach) * most, (2 * form.max + reach) * most

    @property
    def sum_bits(self) -> int:
        """Value of the bits that hold any number that is rounded."""
        return signed_bits(*self.sum_range)

    @property
    def value_bits(self) -> int:
        """Value of the bits that hold any result before the clamp: rounded by no shift, with the zero point."""
        least, greatest = self.sum_range
        return signed_bits(least + self.output_format.min, greatest + 1 + self.output_format.max)

    @property
    def latency_cycles(self) -> int:
        """Value of the time from the handshake of a vector of accumulators to that of its codes, in cycles."""
        return self.FIXED_CYCLES + (self.RESIDUAL_CYCLES if self.residual else 0)

    def cycles(self, m: int, n: int) -> int:
        """Return the time from the first vector's handshake to the last codes', streams never stalling.

        Parameters
        ----------
        m, n : int
            Rows and channels of the result; each tile of `lanes` channels takes `m` vectors.

        Examples
        --------
        >>> RequantParams(lanes=4).cycles(m=10, n=9)
        35
        """
        if m < 1 or n < 1:
            raise InputError(f"core '{self.name}': a result of {m} x {n}, bound is >= 1 each; leave it out")
        return m * -(-n // self.lanes) - 1 + self.latency_cycles

    def golden(
        self,
        x: npt.ArrayLike,
        bias: npt.ArrayLike,
        multiplier: npt.ArrayLike,
        shift: npt.ArrayLike,
        output: Sequence[int] | IntArray,
        r: npt.ArrayLike | None = None,
        r_multiplier: npt.ArrayLike | None = None,
        r_zero: int | None = None,
    ) -> IntArray:
        """Return the codes, bit for bit.

        Parameters
        ----------
        x : array_like of int, shape (M, N)
            Accumulators: N channels.
        bias, multiplier, shift : array_like of int, shape (N,)
            Coefficients of the channels; a shift is 0..47.
        output : three integers
            Zero point, low and high end of the clamp, all codes of `output_format`.
        r : array_like of int, shape (M, N)
            Residual codes; with a `residual` only, as what follows.
        r_multiplier : array_like of int, shape (N,)
            Their multipliers, at the fixed point of the channel: scale of the residual over that of the output, times
            ``2**shift``.
        r_zero : int
            Their zero point.

        Returns
        -------
        ndarray of int64, shape (M, N)
        """
        added = (r, r_multiplier, r_zero)
        if any((one is None) != (self.residual is None) for one in added):
            raise InputError(
                f"core '{self.name}': {sum(one is not None for one in added)} of the three residual operands given, "
                f"bound is {'three' if self.residual else 'none'}; choose the core by whether a residual is added"
            )
        sums, offset, factor, places = self._channels(x, bias, multiplier, shift)
        zero, low, high = self._output(output)
        total = (sums + offset) * factor
        if self.residual:
            total += self._residual(r, r_multiplier, r_zero, sums.shape)
        return np.clip(zero + self._rounded(total, places), low, high)

    def _rounded(self, total: IntArray, shift: IntArray) -> IntArray:
        """Return ``total / 2**shift`` rounded: the floor, and one more from a half on.

        The floor plus the bit below it is the floor of ``total + 2**(shift - 1)``, and never overflows.
        """
        below = np.maximum(shift - 1, 0)
        floor = total >> shift
        half = np.where(shift > 0, (total >> below) & 1, 0)
        if self.rounding == "half_even":
            beyond = (total & ((np.int64(1) << below) - 1)) != 0
            half &= beyond | (floor & 1 != 0)
        rounded: IntArray = floor + half
        return rounded

    def _residual(self, r: object, r_multiplier: object, r_zero: object, shape: tuple[int, ...]) -> IntArray:
        form = self.residual
        assert form is not None  # the caller asked
        codes = self._whole("residual codes", r, shape, form.min, form.max)
        factor = self._whole("residual multipliers", r_multiplier, shape[1:], 0, (1 << self.multiplier_bits) - 1)
        return (codes - self._whole("residual zero point", r_zero, (), form.min, form.max)) * factor

    def _output(self, output: object) -> tuple[int, int, int]:
        form = self.output_format
        zero, low, high = self._whole("zero point, low and high", output, (3,), form.min, form.max).tolist()
        if low > high:
            raise InputError(f"core '{self.name}': clamp is {low}..{high}, bound is low <= high; exchange them")
        return zero, low, high

    def _channels(self, x: object, bias: object, multiplier: object, shift: object) -> tuple[IntArray, ...]:
        shape = np.asarray(x).shape
        if len(shape) != 2 or 0 in shape:
            raise InputError(f"core '{self.name}': accumulators {shape}, bound is (M, N) with both >= 1; reshape them")
        form = self.accumulator_format
        return (
            self._whole("accumulators", x, shape, form.min, form.max),
            self._whole("biases", bias, shape[1:], form.min, form.max),
            self._whole("multipliers", multiplier, shape[1:], 0, (1 << self.multiplier_bits) - 1),
            self._whole("shifts", shift, shape[1:], 0, self.MAX_SHIFT),
        )

    def _whole(self, subject: str, values: object, shape: tuple[int, ...], least: int, greatest: int) -> IntArray:
        """Return `values` as integers; refuse another shape or what is out of bounds."""
        array = np.asarray(values)
        if array.dtype.kind not in "iu" or array.shape != shape:
            raise InputError(
                f"core '{self.name}': {subject} of shape {array.shape} and type {array.dtype}, bound is {shape} of "
                f"integers; convert them"
            )
        if array.min() < least or array.max() > greatest:
            raise InputError(
                f"core '{self.name}': {subject} span {array.min()}..{array.max()}, bound is {least}..{greatest}; "
                f"rescale them"
            )
        return array.astype(np.int64)
