"""Zero-skipping row: PEs with compressed weights share blocks of activations; the slowest PE sets the pace.

Weights are unstructured-sparse. A row works on one block of activations at a time, and each PE spends one cycle per
weight of its own that is not zero; the row moves on when all have ended, so uneven blocks cost cycles that the share
of zeros alone does not show (`SkipParams.statistics`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from hw_models.products import IntArray, IntProduct, signed_bits
from workloads.errors import InputError
from workloads.formats import Int

WeightForm = Literal["bitmap", "coordinate"]


@dataclass(frozen=True, slots=True)
class SkipStatistics:
    """What skipping brings on given weights, in cycles of the row without fill.

    Parameters
    ----------
    dense_cycles : int
        Every weight multiplied, zeros included.
    ideal_cycles : int
        Weights that are not zero spread evenly over the PEs, blocks ignored; at least 1.
    obtained_cycles : int
        Blocks of the slowest PEs, as the row has them.
    dense_bits, stored_bits : int
        Weights uncompressed and in the row's form.
    """

    dense_cycles: int
    ideal_cycles: int
    obtained_cycles: int
    dense_bits: int
    stored_bits: int

    @property
    def ideal_speedup(self) -> float:
        """Value of the speed-up over dense that the share of zeros promises."""
        return self.dense_cycles / self.ideal_cycles

    @property
    def obtained_speedup(self) -> float:
        """Value of the speed-up over dense that the row has."""
        return self.dense_cycles / self.obtained_cycles

    @property
    def balance(self) -> float:
        """Value of the obtained share of the ideal speed-up, 0 to 1."""
        return self.ideal_cycles / self.obtained_cycles


@dataclass(frozen=True, slots=True)
class SkipParams:
    """Parameters of one zero-skipping row.

    Parameters
    ----------
    input_format, weight_format : Int
        Codes of activations and weights.
    pes : int
        PEs of the row; each makes a sum of its own from the shared activations.
    block : int
        Activations of a block.
    form : {"bitmap", "coordinate"}
        How weights are stored. Bitmap: per block one bit per weight, and the values that are not zero in order.
        Coordinate: words of value, index in the block and an end mark; a block without weights is one word of value 0
        with the mark.
    accumulator_bits : int
        Width of a sum, signed; it wraps modulo ``2**bits``.

    Notes
    -----
    Time of an event is the clock edge that ends its cycle.
    """

    input_format: Int
    weight_format: Int
    pes: int
    block: int
    form: WeightForm = "bitmap"
    accumulator_bits: int = 32

    #: From the last cycle of the last block: one edge each for the product, the accumulator and the sums' handshake.
    FIXED_CYCLES: ClassVar[int] = 3
    #: A block in which no PE has a weight is still looked at.
    LEAST_BLOCK_CYCLES: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if self.form not in ("bitmap", "coordinate"):
            raise InputError(f"skip row: form is '{self.form}', bound is 'bitmap' or 'coordinate'; choose one")
        for key, value, most in (("pes", self.pes, 64), ("block", self.block, 64)):
            if not 1 <= value <= most:
                raise InputError(f"skip row: {key} is {value}, bound is 1..{most}; choose a count in it")
        for key, form in (("input_format", self.input_format), ("weight_format", self.weight_format)):
            if form.bits > 16:
                raise InputError(f"skip row: {key} is {form.name}, bound is 16 bits; quantise narrower")
        needed = self.required_accumulator_bits(1)
        if not needed <= self.accumulator_bits <= 63:
            raise InputError(
                f"skip row: accumulator_bits is {self.accumulator_bits}, bound is {needed}..63 for one product of "
                f"{self.input_format.name} and {self.weight_format.name}; choose a width in it"
            )

    @property
    def name(self) -> str:
        """Name such as ``skip_bitmap_int8``."""
        return f"skip_{self.form}_{IntProduct(self.input_format, self.weight_format).name}"

    @property
    def index_bits(self) -> int:
        """Value of the bits of a place in a block, at least one."""
        return max(1, (self.block - 1).bit_length())

    @property
    def value_word_bits(self) -> int:
        """Value of the bits of one beat of a PE's weight stream."""
        extra = 0 if self.form == "bitmap" else self.index_bits + 1
        return self.weight_format.bits + extra

    @property
    def product_bits(self) -> int:
        """Value of the width of a product, signed."""
        return self.required_accumulator_bits(1)

    def required_accumulator_bits(self, length: int) -> int:
        """Return the least width that never wraps on sums of `length` products."""
        if length < 1:
            raise InputError(f"skip row: reduction length is {length}, bound is >= 1; give a positive integer")
        least, greatest = IntProduct(self.input_format, self.weight_format).extremes
        return signed_bits(length * min(least, 0), length * max(greatest, 0))

    def counts(self, w: IntArray) -> IntArray:
        """Return the weights that are not zero per reduction, PE and block.

        Parameters
        ----------
        w : ndarray of int, shape (reductions, pes, length)

        Returns
        -------
        ndarray of int64, shape (reductions, pes, ceil(length / block))
        """
        kept = np.pad(np.asarray(w) != 0, ((0, 0), (0, 0), (0, -w.shape[2] % self.block)))
        return np.asarray(kept.reshape(*w.shape[:2], -1, self.block).sum(axis=3), dtype=np.int64)

    def block_cycles(self, w: IntArray) -> IntArray:
        """Return the cycles of each block, shape (reductions, blocks): those of its slowest PE, at least one."""
        return np.asarray(np.maximum(self.counts(w).max(axis=1), self.LEAST_BLOCK_CYCLES), dtype=np.int64)

    def cycles(self, lengths: Sequence[int], operands: tuple[IntArray, IntArray]) -> int:
        """Return the time from the first beat's handshake to the last sums', streams never stalling.

        Parameters
        ----------
        lengths : sequence of int
            Length of each reduction; it must be that of the operands.
        operands : tuple of ndarray
            As for `golden`: the weights decide.

        Examples
        --------
        >>> row = SkipParams(Int(8), Int(8), pes=2, block=4)
        >>> row.cycles([4], (np.ones((1, 4), dtype=int), np.array([[[5, 0, 0, 1], [0, 0, 0, 0]]])))
        5
        """
        a, w = self._checked(*operands)
        if list(lengths) != [a.shape[1]] * a.shape[0]:
            raise InputError(
                f"core '{self.name}': lengths are {list(lengths)}, operands hold {a.shape[0]} reductions of "
                f"{a.shape[1]}; give those"
            )
        return int(self.block_cycles(w).sum()) + self.FIXED_CYCLES

    def golden(self, a: IntArray, w: IntArray) -> IntArray:
        """Return the sums, bit for bit: dense dot products.

        Parameters
        ----------
        a : ndarray of int, shape (reductions, length)
            Activation codes, shared by the PEs.
        w : ndarray of int, shape (reductions, pes, length)
            Weight codes, zeros included.

        Returns
        -------
        ndarray of int64, shape (reductions, pes)
            Sums modulo ``2**accumulator_bits``, signed.
        """
        left, right = self._checked(a, w)
        return Int(self.accumulator_bits).wrap((left[:, None, :] * right).sum(axis=2))

    def stored_bits(self, w: IntArray) -> int:
        """Return the bits of the weights in the row's form."""
        counts = self.counts(w)
        if self.form == "bitmap":
            return int(counts.size * self.block + counts.sum() * self.weight_format.bits)
        return int(np.maximum(counts, 1).sum()) * self.value_word_bits

    def statistics(self, w: IntArray) -> SkipStatistics:
        """Return ideal and obtained gain on weights `w`, shape (reductions, pes, length)."""
        self._checked(np.zeros((w.shape[0], w.shape[-1]), dtype=np.int64), w)
        return SkipStatistics(
            dense_cycles=w.shape[0] * w.shape[2],
            ideal_cycles=max(1, -(-int(np.count_nonzero(w)) // self.pes)),
            obtained_cycles=int(self.block_cycles(w).sum()),
            dense_bits=w.size * self.weight_format.bits,
            stored_bits=self.stored_bits(w),
        )

    def _checked(self, a: IntArray, w: IntArray) -> tuple[IntArray, IntArray]:
        left, right = np.asarray(a, dtype=np.int64), np.asarray(w, dtype=np.int64)
        if left.ndim != 2 or 0 in left.shape or right.shape != (left.shape[0], self.pes, left.shape[1]):
            raise InputError(
                f"core '{self.name}': activations {left.shape} and weights {right.shape}, bound is "
                f"(reductions, length) and (reductions, {self.pes}, length); reshape them"
            )
        for subject, codes, form in (("activations", left, self.input_format), ("weights", right, self.weight_format)):
            if codes.min() < form.min or codes.max() > form.max:
                raise InputError(
                    f"core '{self.name}': {subject} span {codes.min()}..{codes.max()}, "
                    f"bound is {form.min}..{form.max}; quantise or choose another format"
                )
        return left, right
