"""Scratchpad that holds a feature map and reads it shifted by address: a kernel tap is an offset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hw_models.fabric import word_array
from hw_models.products import IntArray
from hw_models.scratchpad import MAX_WORDS
from workloads.errors import InputError


@dataclass(frozen=True, slots=True)
class ShiftReadParams:
    """Parameters of a scratchpad that holds a feature map and reads it shifted (shift layers of FE-Net, CVPR 2019).

    Parameters
    ----------
    words : int
        Words it holds: rows x columns x channels of the greatest map.
    bits : int
        Of a word.
    coordinate_bits : int
        Of a row or column number, sign included: sides of maps and results are below ``2**(coordinate_bits - 1)``.

    Notes
    -----
    A map is stored channel by channel within a position, position by position within a row. A pass is one kernel tap:
    an offset that is added to the address of every output position, so a K x K convolution reads the map K * K times,
    shifted, and a shift layer reads each channel once with its own offset. Positions outside of the map give the zero
    point and are not read. One word per cycle, also from pass to pass.
    """

    words: int
    bits: int
    coordinate_bits: int = 8

    #: From the last word of the map: take the pass, read, choose word or zero point, hand over.
    FIXED_CYCLES: ClassVar[int] = 3
    #: Columns of a row of `passes`.
    FIELDS: ClassVar[tuple[str, ...]] = (
        "out_h", "out_w", "dy", "dx", "stride", "first_channel", "channels", "zero",
    )  # fmt: skip

    def __post_init__(self) -> None:
        if not 1 <= self.words <= MAX_WORDS:
            raise InputError(f"shift read: words is {self.words}, bound is 1..{MAX_WORDS}; choose a size in it")
        if not 1 <= self.bits <= 62:
            raise InputError(f"shift read: bits is {self.bits}, bound is 1..62; choose a width in it")
        if not 3 <= self.coordinate_bits <= 16:
            raise InputError(
                f"shift read: coordinate_bits is {self.coordinate_bits}, bound is 3..16; choose a width in it"
            )

    @property
    def name(self) -> str:
        """Name such as ``shift_read_64x8``."""
        return f"shift_read_{self.words}x{self.bits}"

    @property
    def address_bits(self) -> int:
        """Value of the bits of an address, at least one."""
        return max(1, (self.words - 1).bit_length())

    def cycles(self, feature_map: IntArray, passes: IntArray) -> int:
        """Return the time from the first word of the map to the last word read, streams never stalling.

        Parameters
        ----------
        feature_map, passes : ndarray of int
            As for `golden`; shapes decide, not values: border words take a cycle like others.

        Examples
        --------
        >>> core = ShiftReadParams(64, 8)
        >>> core.cycles(np.zeros((4, 4, 2), dtype=int), np.array([[4, 4, 0, 0, 1, 0, 2, 0]]))
        67
        """
        array, rows = self._checked(feature_map, passes)
        return array.size - 1 + int((rows[:, 0] * rows[:, 1] * rows[:, 6]).sum()) + self.FIXED_CYCLES

    def reads(self, feature_map: IntArray, passes: IntArray) -> int:
        """Return the words that are read from the memory: those of positions inside the map."""
        array, rows = self._checked(feature_map, passes)
        count = 0
        for out_h, out_w, dy, dx, stride, _, channels, _ in rows:
            inside = [
                int(np.count_nonzero((at >= 0) & (at < side)))
                for at, side in ((np.arange(out_h) * stride + dy, array.shape[0]),
                                 (np.arange(out_w) * stride + dx, array.shape[1]))
            ]  # fmt: skip
            count += inside[0] * inside[1] * int(channels)
        return count

    def golden(self, feature_map: IntArray, passes: IntArray) -> list[IntArray]:
        """Return what each pass reads: the map padded with the zero point, shifted, strided and cut.

        Parameters
        ----------
        feature_map : ndarray of int, shape (rows, columns, channels)
            Words, each a number below ``2**bits``.
        passes : ndarray of int, shape (passes, 8)
            Per pass the `FIELDS`: output position (i, j) is the map's (i * stride + dy, j * stride + dx).

        Returns
        -------
        list of ndarray of int64, shape (out_h, out_w, channels)
        """
        array, rows = self._checked(feature_map, passes)
        height, width, _ = array.shape
        results = []
        for out_h, out_w, dy, dx, stride, first, channels, zero in rows:
            y, x = np.arange(out_h) * stride + dy, np.arange(out_w) * stride + dx
            sides = ((max(0, -y.min()), max(0, y.max() - height + 1)), (max(0, -x.min()), max(0, x.max() - width + 1)))
            wide = np.pad(array, (*sides, (0, 0)), constant_values=zero)
            results.append(wide[np.ix_(y + sides[0][0], x + sides[1][0], np.arange(first, first + channels))])
        return results

    def _checked(self, feature_map: IntArray, passes: IntArray) -> tuple[IntArray, IntArray]:
        subject = f"core '{self.name}'"
        array, rows = word_array(feature_map, self.bits, subject, "words"), np.asarray(passes, dtype=np.int64)
        if array.ndim != 3 or 0 in array.shape or rows.ndim != 2 or rows.shape[1] != len(self.FIELDS) or not len(rows):
            raise InputError(
                f"{subject}: map {array.shape} and passes {rows.shape}, bound is (rows, columns, channels) and "
                f"(passes, {len(self.FIELDS)}); reshape them"
            )
        if array.size > self.words:
            raise InputError(f"{subject}: map needs {array.size} words, bound is {self.words}; tile it or raise words")
        word_array(rows[:, 7], self.bits, subject, "zero points")
        limit = (1 << (self.coordinate_bits - 1)) - 1
        height, width, depth = array.shape
        for number, (out_h, out_w, dy, dx, stride, first, channels, _) in enumerate(rows):
            ends = [int(start + (count - 1) * stride) for start, count in ((dy, out_h), (dx, out_w))]
            bounds = (("rows", height, 1), ("columns", width, 1), ("out_h", out_h, 1), ("out_w", out_w, 1),
                      ("stride", stride, 1), ("dy", dy, -limit - 1), ("dx", dx, -limit - 1),
                      ("last row", ends[0], -limit - 1), ("last column", ends[1], -limit - 1))  # fmt: skip
            for key, value, least in bounds:
                if not least <= value <= limit:
                    raise InputError(
                        f"{subject}: pass {number}: {key} is {value}, bound is {least}..{limit}; "
                        f"tile it or raise coordinate_bits"
                    )
            if not 0 <= first < first + channels <= depth:
                raise InputError(
                    f"{subject}: pass {number}: channels {first}..{first + channels - 1}, bound is 0..{depth - 1}; "
                    f"keep them in it"
                )
        return array, rows
