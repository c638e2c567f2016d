"""Codebook core that bins before it multiplies: activations with the same weight are added, each sum multiplied once.

Twin of the decode-then-multiply core (`hw_models.products_table.CodebookProduct`): same operands, same sums. It makes
``2**b - 1`` multiplications per output whatever the length, one per cycle; entry 0 of the table is an exact zero and
has no bin. Source: deployed form of DGMS (arXiv 2112.15139).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hw_models.dot import DotParams
from hw_models.products import IntArray, signed_bits
from hw_models.products_table import CodebookProduct
from workloads.errors import InputError
from workloads.formats import Int


@dataclass(frozen=True, slots=True)
class BinsParams:
    """Parameters of one bin-accumulate core.

    Parameters
    ----------
    input_format : Int
        Codes of the activations.
    table : tuple of int
        Value per weight index; a power of two of entries, the first 0.
    longest : int
        Most pairs of a reduction; no bin of so many activations overflows.
    lanes : int
        Activations (and weight indices) of a beat.
    accumulator_bits : int
        Width of a sum, signed; it wraps modulo ``2**bits``.

    Notes
    -----
    Time of an event is the clock edge that ends its cycle. Bins are copied when a reduction is complete, so that the
    next one is binned while the copies are multiplied; it waits while the copies before are still in use.
    """

    input_format: Int
    table: tuple[int, ...]
    longest: int = 4096
    lanes: int = 1
    accumulator_bits: int = 32

    #: Edges beside one per beat and one per multiplication: bins, copy, accumulator and handshake, less the edge that
    #: takes the first beat.
    FIXED_CYCLES: ClassVar[int] = 3

    def __post_init__(self) -> None:
        for key, value, most in (("lanes", self.lanes, 64), ("longest", self.longest, 1 << 24)):
            if not 1 <= value <= most:
                raise InputError(f"bins core: {key} is {value}, bound is 1..{most}; choose a count in it")
        if self.input_format.bits > 16:
            raise InputError(
                f"bins core: input_format is {self.input_format.name}, bound is 16 bits; quantise narrower"
            )
        if not self.table or self.table[0] != 0:
            raise InputError(f"bins core: table starts with {self.table[:1]}, bound is 0; put the exact zero first")
        if len(self.table) > 64:
            raise InputError(f"bins core: table has {len(self.table)} entries, bound is 64; use the decoding core")
        twin = self.decoding_core  # refuses the rest of what is illegal
        if len(self.table) != 1 << twin.product.weight_bits:
            raise InputError(f"bins core: table has {len(self.table)} entries, bound is a power of two; pad it")

    @property
    def name(self) -> str:
        """Name such as ``bins4_int8``: index bits and activation."""
        return f"bins{self.index_bits}_{self.input_format.name}"

    @property
    def decoding_core(self) -> DotParams:
        """Value of the decode-then-multiply core with the same operands and sums."""
        return DotParams(CodebookProduct(self.input_format, self.table), self.lanes, self.accumulator_bits)

    @property
    def index_bits(self) -> int:
        """Value of the bits of a weight index."""
        return (len(self.table) - 1).bit_length()

    @property
    def entry_bits(self) -> int:
        """Value of the width of a table entry, signed."""
        return signed_bits(min(self.table), max(self.table))

    @property
    def bin_bits(self) -> int:
        """Value of the width of a bin, signed; `accumulator_bits` are always enough, for sums are modulo that."""
        needed = signed_bits(self.longest * self.input_format.min, self.longest * self.input_format.max)
        return min(needed, self.accumulator_bits)

    @property
    def multiplies_per_output(self) -> int:
        """Value of the multiplications of one output, ``2**b - 1``."""
        return len(self.table) - 1

    @property
    def crossover_length(self) -> int:
        """Value of the least length from which binning makes fewer multiplications than decoding, one per pair."""
        return self.multiplies_per_output + 1

    def multiplies_saved(self, length: int) -> int:
        """Return the multiplications of the decoding core less those of this one on one output; negative below it."""
        return length - self.multiplies_per_output

    def zero_share(self, w: IntArray) -> float:
        """Return the share of indices that are 0, whose activations need neither a bin nor a multiplication."""
        return float(np.mean(np.asarray(w) == 0))

    def beats(self, length: int) -> int:
        """Return the beats of a reduction of `length` pairs."""
        return -(-length // self.lanes)

    def cycles(self, lengths: Sequence[int], operands: tuple[IntArray, IntArray] | None = None) -> int:
        """Return the time from the first beat's handshake to the last sum's, streams never stalling.

        Beats of the first reduction, then the longer of beats and multiplications for each further one, then the
        multiplications of the last. `operands` change nothing.

        Examples
        --------
        >>> core = BinsParams(Int(8), (0, 1, -3, 7))
        >>> core.cycles([10]), core.cycles([10, 10, 2])
        (16, 29)
        """
        if not lengths or min(lengths) < 1 or max(lengths) > self.longest:
            raise InputError(
                f"core '{self.name}': reduction lengths are {list(lengths)}, bound is 1..{self.longest}; split longer "
                f"reductions or raise `longest`"
            )
        multiplies = self.multiplies_per_output
        paced = sum(max(self.beats(length), multiplies) for length in lengths[1:])
        return self.beats(lengths[0]) + paced + multiplies + self.FIXED_CYCLES

    def golden(self, a: IntArray, w: IntArray) -> IntArray:
        """Return the sums of reductions, bit for bit: bins first, then one product per bin.

        Parameters
        ----------
        a, w : ndarray of int, shape (reductions, length)
            Activation codes and weight indices.

        Returns
        -------
        ndarray of int64, shape (reductions,)
            Sums modulo ``2**accumulator_bits``, signed.
        """
        left, right = np.asarray(a, dtype=np.int64), np.asarray(w, dtype=np.int64)
        if left.ndim != 2 or left.shape != right.shape or not left.shape[0] or not 1 <= left.shape[1] <= self.longest:
            raise InputError(
                f"core '{self.name}': activations {left.shape} and weights {right.shape}, bound is two equal shapes of "
                f"(reductions, length), length 1..{self.longest}; reshape them or raise `longest`"
            )
        for subject, codes, least, most in (
            ("activations", left, self.input_format.min, self.input_format.max),
            ("weight indices", right, 0, len(self.table) - 1),
        ):
            if codes.min() < least or codes.max() > most:
                raise InputError(
                    f"core '{self.name}': {subject} span {codes.min()}..{codes.max()}, bound is {least}..{most}; "
                    f"quantise or choose another table"
                )
        bins = np.stack([np.where(right == index, left, 0).sum(axis=1) for index in range(len(self.table))], axis=1)
        return Int(self.accumulator_bits).wrap(bins @ np.array(self.table, dtype=np.int64))
