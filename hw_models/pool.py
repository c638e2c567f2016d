"""Pooling over a stream of windows: up to `window` consecutive beats become one, their maximum or their mean.

The mean is that of the integers, halves upwards, exactly and for every input: codes are counted from the format's
least, which makes the sum S of c codes non-negative, and ``floor((S + c // 2) / c)`` is rounding half up. The division
is a multiplication by ``ceil(2**s / c)`` and a shift by s, exact for all sums while ``(S + c // 2) * e < 2**s`` with
``e = ceil(2**s / c) * c - 2**s`` (Granlund and Montgomery, PLDI 1994); s is the least that holds for every count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from hw_models.products import IntArray
from hw_models.requant import short_name
from workloads.errors import InputError
from workloads.formats import Int

PoolKind = Literal["max", "avg", "avg_padded"]
KINDS: tuple[PoolKind, ...] = ("max", "avg", "avg_padded")


@dataclass(frozen=True, slots=True)
class PoolParams:
    """Parameters of one pooling core; every result is exact.

    Parameters
    ----------
    kind : {'max', 'avg', 'avg_padded'}
        Greatest code; mean of the codes that are there; mean of `window` codes, missing ones being the code 0.
    lanes : int
        Channels side by side: codes per beat.
    window : int
        Beats of a whole window. A packet is cut into windows; the last one may be shorter.
    format : Int
        Codes that come in and go out.

    Notes
    -----
    Time of an event is the clock edge that ends its cycle. One beat in per cycle; windows follow without a gap.
    """

    kind: PoolKind
    lanes: int
    window: int
    format: Int

    #: Operands (the edge of the handshake), maximum, then the handshake.
    MAX_LATENCY_CYCLES: ClassVar[int] = 2
    #: Operands, sum, sum and half the count beside the reciprocal, product, then the handshake.
    MEAN_LATENCY_CYCLES: ClassVar[int] = 4

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(f"pooling: kind is '{self.kind}', bound is {', '.join(KINDS)}; choose one of them")
        for key, value, least, most in (
            ("lanes", self.lanes, 1, 256), ("window", self.window, 1, 256), ("format", self.format.bits, 1, 16)
        ):  # fmt: skip
            if not least <= value <= most:
                raise InputError(f"pooling: {key} is {value}, bound is {least}..{most}; choose a value in it")

    @property
    def name(self) -> str:
        """Name such as ``pool_max_i8_x4_w9``."""
        return f"pool_{self.kind}_{short_name(self.format)}_x{self.lanes}_w{self.window}"

    @property
    def latency_cycles(self) -> int:
        """Value of the time from the handshake of a window's last beat to that of its result, in cycles."""
        return self.MAX_LATENCY_CYCLES if self.kind == "max" else self.MEAN_LATENCY_CYCLES

    @property
    def counts(self) -> tuple[int, ...]:
        """Value of the counts that a sum may be divided by."""
        return tuple(range(1, self.window + 1)) if self.kind == "avg" else (self.window,)

    def greatest_dividend(self, count: int) -> int:
        """Return the greatest sum of `count` codes from the format's least, with half the count added."""
        return count * (self.format.max - self.format.min) + count // 2

    @property
    def shift(self) -> int:
        """Value of the bits behind the point of the reciprocals: the least with which every division is exact."""
        shift = 0
        while any(self.greatest_dividend(c) * (-(1 << shift) % c) >= 1 << shift for c in self.counts):
            shift += 1
        return shift

    def reciprocal(self, count: int) -> int:
        """Return ``ceil(2**shift / count)``."""
        return -(-(1 << self.shift) // count)

    def cycles(self, lengths: Sequence[int], operands: tuple[IntArray, ...] | None = None) -> int:
        """Return the time from the first beat's handshake to the last result's, streams never stalling.

        `lengths` are beats per packet; `operands` change nothing.

        Examples
        --------
        >>> PoolParams("max", 4, 9, Int(8)).cycles([18, 5])
        24
        """
        if not lengths or min(lengths) < 1:
            raise InputError(
                f"core '{self.name}': packet lengths are {list(lengths)}, bound is >= 1; leave out others"
            )  # fmt: skip
        return sum(lengths) - 1 + self.latency_cycles

    def golden(self, codes: npt.ArrayLike) -> IntArray:
        """Return the pooled codes, bit for bit.

        Parameters
        ----------
        codes : array_like of int, shape (packets, beats, lanes)
            Codes of the windows of each packet, one after another.

        Returns
        -------
        ndarray of int64, shape (packets, ceil(beats / window), lanes)
            Mean: ``floor(sum / count + 1/2)``.
        """
        array = np.asarray(codes)
        if array.dtype.kind not in "iu" or array.ndim != 3 or 0 in array.shape or array.shape[2] != self.lanes:
            raise InputError(
                f"core '{self.name}': codes of shape {array.shape} and type {array.dtype}, bound is (packets, beats, "
                f"{self.lanes}) of integers; reshape them"
            )
        if array.min() < self.format.min or array.max() > self.format.max:
            raise InputError(
                f"core '{self.name}': codes span {array.min()}..{array.max()}, bound is {self.format.min}.."
                f"{self.format.max}; quantise or choose another format"
            )
        starts = range(0, array.shape[1], self.window)
        windows = [array[:, start : start + self.window].astype(np.int64) for start in starts]
        if self.kind == "max":
            return np.stack([one.max(axis=1) for one in windows], axis=1)
        means = []
        for one in windows:
            count = one.shape[1] if self.kind == "avg" else self.window
            means.append((2 * one.sum(axis=1) + count) // (2 * count))
        return np.stack(means, axis=1)
