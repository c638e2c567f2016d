"""Threshold bank: the code of a sum is the number of thresholds that it reaches; exact for every monotone requantiser.

Batch normalisation, scale, rounding, activation and clamp of a channel fold into ``2**bits - 1`` sorted integers.
Source: threshold layers of FINN (arXiv 1612.07119); the search by halves is that of finn-rtllib.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from hw_models.products import IntArray
from hw_models.requant import RequantParams, short_name
from workloads.errors import InputError
from workloads.formats import Int


@dataclass(frozen=True, slots=True)
class ThresholdParams:
    """Parameters of one threshold bank.

    Parameters
    ----------
    lanes : int
        Channels side by side: accumulators per beat.
    output_format : Int
        Codes that come out: its least code plus the number of thresholds at or below the accumulator.
    accumulator_bits : int
        Width of an accumulator, signed. A threshold has one bit more: ``2**(accumulator_bits - 1)`` is never reached.

    Notes
    -----
    Time of an event is the clock edge that ends its cycle. One vector of `lanes` accumulators in, one of codes out,
    per cycle. The thresholds of a tile of channels go in one per channel and beat, while the tile before is worked on;
    a tile of fewer vectors than thresholds waits for them.
    """

    lanes: int
    output_format: Int
    accumulator_bits: int = 32

    #: Operands (the edge of the handshake) and the handshake of the codes; one edge per bit of a code is between.
    FIXED_CYCLES: ClassVar[int] = 1

    def __post_init__(self) -> None:
        for key, value, least, most in (
            ("lanes", self.lanes, 1, 256),
            ("output_format", self.output_format.bits, 1, 8),
            ("accumulator_bits", self.accumulator_bits, 1, 32),
        ):
            if not least <= value <= most:
                raise InputError(f"threshold bank: {key} is {value}, bound is {least}..{most}; choose a width in it")

    @property
    def name(self) -> str:
        """Name such as ``threshold_i32_u4_x4``."""
        return f"threshold_i{self.accumulator_bits}_{short_name(self.output_format)}_x{self.lanes}"

    @property
    def accumulator_format(self) -> Int:
        """Value of the format of accumulators."""
        return Int(self.accumulator_bits)

    @property
    def threshold_format(self) -> Int:
        """Value of the format of thresholds."""
        return Int(self.accumulator_bits + 1)

    @property
    def never(self) -> int:
        """Value of the threshold that no accumulator reaches."""
        return self.accumulator_format.max + 1

    @property
    def thresholds(self) -> int:
        """Value of the thresholds of a channel."""
        return (1 << self.output_format.bits) - 1

    @property
    def order(self) -> tuple[int, ...]:
        """Value of the order in which a channel's thresholds go in: the middle one, those of the quarters, and so on.

        Examples
        --------
        >>> ThresholdParams(4, Int(3)).order
        (3, 1, 5, 0, 2, 4, 6)
        """
        bits = self.output_format.bits
        return tuple(((2 * at + 1) << (bits - 1 - level)) - 1 for level in range(bits) for at in range(1 << level))

    @property
    def latency_cycles(self) -> int:
        """Value of the time from the handshake of a vector of accumulators to that of its codes, in cycles."""
        return self.FIXED_CYCLES + self.output_format.bits

    def cycles(self, m: int, n: int) -> int:
        """Return the time from the first threshold's handshake to the last codes', streams never stalling.

        The thresholds of the first tile go in alone; from then on a tile takes as long as its vectors or the
        thresholds of the next, whichever are more.

        Parameters
        ----------
        m, n : int
            Rows and channels of the result; each tile of `lanes` channels takes `m` vectors.

        Examples
        --------
        >>> ThresholdParams(4, Int(4)).cycles(m=20, n=9)
        79
        """
        if m < 1 or n < 1:
            raise InputError(f"core '{self.name}': a result of {m} x {n}, bound is >= 1 each; leave it out")
        tiles = -(-n // self.lanes)
        return self.thresholds - 1 + (tiles - 1) * max(m, self.thresholds) + m + self.latency_cycles

    def golden(self, x: npt.ArrayLike, thresholds: npt.ArrayLike) -> IntArray:
        """Return the codes, bit for bit.

        Parameters
        ----------
        x : array_like of int, shape (M, N)
            Accumulators: N channels.
        thresholds : array_like of int, shape (N, 2**bits - 1)
            Thresholds of each channel, ascending; equal ones are allowed.

        Returns
        -------
        ndarray of int64, shape (M, N)
        """
        sums, bank = np.asarray(x), np.asarray(thresholds)
        if sums.dtype.kind not in "iu" or bank.dtype.kind not in "iu":
            raise InputError(f"core '{self.name}': operands are not integers; round thresholds upwards")
        if sums.ndim != 2 or 0 in sums.shape or bank.shape != (sums.shape[1], self.thresholds):
            raise InputError(
                f"core '{self.name}': accumulators {sums.shape} and thresholds {bank.shape}, bound is (M, N) and "
                f"(N, {self.thresholds}); reshape them"
            )
        for subject, array, form in (
            ("accumulators", sums, self.accumulator_format),
            ("thresholds", bank, self.threshold_format),
        ):
            if array.min() < form.min or array.max() > form.max:
                raise InputError(
                    f"core '{self.name}': {subject} span {array.min()}..{array.max()}, bound is "
                    f"{form.min}..{form.max}; clamp them"
                )
        if (np.diff(bank.astype(np.int64)) < 0).any():
            channel = int(np.flatnonzero((np.diff(bank.astype(np.int64)) < 0).any(axis=1))[0])
            raise InputError(f"core '{self.name}': thresholds of channel {channel} fall, bound is ascending; sort them")
        count = [np.searchsorted(row, column, side="right") for row, column in zip(bank, sums.T, strict=True)]
        return self.output_format.min + np.array(count, dtype=np.int64).T


def thresholds_of(params: ThresholdParams, channels: int, codes: Callable[[IntArray], IntArray]) -> IntArray:
    """Return the thresholds that give the codes of any function that does not fall.

    Each is the least accumulator whose code is high enough, found by halves.

    Parameters
    ----------
    channels : int
        Channels of the function.
    codes : callable
        Accumulators (rows, channels) to codes of the output format, same shape; must not fall along an accumulator.

    Returns
    -------
    ndarray of int64, shape (channels, 2**bits - 1)
    """
    wanted = params.output_format.min + np.arange(1, params.thresholds + 1, dtype=np.int64)[:, None]
    low = np.full((params.thresholds, channels), params.accumulator_format.min, dtype=np.int64)
    high = np.full_like(low, params.never)
    for _ in range(params.accumulator_bits):  # the least accumulator lies in low..high; high may be `never`
        middle = (low + high) >> 1
        reached = codes(middle) >= wanted
        low, high = np.where(reached, low, middle + 1), np.where(reached, middle, high)
    reached = (low < params.never) & (codes(np.minimum(low, params.accumulator_format.max)) >= wanted)
    return np.where(reached, low, high).T


def requantiser_thresholds(
    params: RequantParams,
    bias: npt.ArrayLike,
    multiplier: npt.ArrayLike,
    shift: npt.ArrayLike,
    output: Sequence[int] | IntArray,
) -> tuple[ThresholdParams, IntArray]:
    """Return the bank that stands in for a requantiser without residual, and its thresholds.

    Operands are those of `RequantParams.golden`; multipliers are not negative, so codes never fall.

    Examples
    --------
    >>> bank, thresholds = requantiser_thresholds(RequantParams(4, Int(2)), [0], [1], [2], [0, -2, 1])
    >>> bank.name, thresholds.tolist()
    ('threshold_i32_i2_x4', [[-6, -2, 2]])
    """
    if params.residual:
        raise InputError(
            f"core '{params.name}': a residual depends on the place, a threshold must not; requantise without it first"
        )
    bank = ThresholdParams(params.lanes, params.output_format, params.accumulator_bits)
    return bank, thresholds_of(bank, len(np.asarray(bias)), lambda x: params.golden(x, bias, multiplier, shift, output))
