"""Lanes whose weights are decoded: odd codes, powers of two, codebooks, split scales."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from hw_models.products import IntArray, Product, bits_of, codes_of, plain_words, signed_bits
from workloads.errors import InputError
from workloads.formats import Int

BoolArray = npt.NDArray[np.bool_]


def table_literal(entries: tuple[int, ...], width: int) -> str:
    """Return a sized SystemVerilog literal with entry i at bits ``i * width``.

    Examples
    --------
    >>> table_literal((1, -1, 3), 4)
    "12'h3f1"
    """
    mask = (1 << width) - 1
    word = sum((entry & mask) << (place * width) for place, entry in enumerate(entries))
    return f"{len(entries) * width}'h{word:x}"


class IntegerActivation(Product):
    """A kind whose activations are plain integers of `input_format`."""

    input_format: Int

    @property
    def activation_bits(self) -> int:
        """Value of the width of an activation."""
        return self.input_format.bits

    def activation_values(self, codes: IntArray) -> IntArray:
        """Return the codes: they are their values."""
        return self._checked("activations", codes, self.input_format.min, self.input_format.max)

    def activation_words(self, codes: IntArray, kept: BoolArray) -> list[int]:
        """Return a word per code; padding is 0, so that its weight does not matter."""
        return plain_words(np.where(kept, codes, 0), self.activation_bits)

    def _input_constants(self) -> dict[str, int | str]:
        return {"INPUT_W": self.input_format.bits, "INPUT_SIGNED": int(self.input_format.signed)}

    def _corners(self, *weights: int) -> tuple[tuple[int, int], ...]:
        return tuple((a, w) for a in (self.input_format.min, self.input_format.max) for w in weights)


@dataclass(frozen=True, slots=True)
class OddProduct(IntegerActivation):
    """Odd-code (mid-rise) weights: code q is worth ``2q + 1``; there is no zero.

    Source: StatsQ of OFQ (arXiv 2302.02210), whose levels are odd multiples of ``2**-bits``; the epilogue has that.
    """

    input_format: Int
    bits: int
    module: ClassVar[str] = "product_odd"

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 16:
            raise InputError(f"product odd: bits is {self.bits}, bound is 1..16; choose a width in it")

    @property
    def name(self) -> str:
        """Name such as ``odd2_int4``."""
        return f"odd{self.bits}_{self.input_format.name}"

    @property
    def weight_bits(self) -> int:
        """Value of the width of a code."""
        return self.bits

    @property
    def alphabets(self) -> tuple[IntArray, IntArray]:
        """All codes of the operands."""
        return codes_of(self.input_format), np.arange(-(1 << (self.bits - 1)), 1 << (self.bits - 1))

    @property
    def corners(self) -> tuple[tuple[int, int], ...]:
        """Corners of the operand ranges."""
        return self._corners(-(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1)

    def constants(self) -> dict[str, int | str]:
        """Return widths and sign."""
        return {**self._input_constants(), "WEIGHT_W": self.bits}

    def weight_values(self, codes: IntArray) -> IntArray:
        """Return ``2q + 1``."""
        half = 1 << (self.bits - 1)
        return 2 * self._checked("weights", codes, -half, half - 1) + 1

    def weight_words(self, codes: IntArray, kept: BoolArray) -> list[int]:
        """Return a word per code."""
        return plain_words(codes, self.bits)


@dataclass(frozen=True, slots=True)
class ShiftProduct(IntegerActivation):
    """Power-of-two weights: codes are 0 and ``+-(e + 1)`` for ``+-2**e``, e from 0 to `largest_exponent`."""

    input_format: Int
    largest_exponent: int
    module: ClassVar[str] = "product_shift"

    def __post_init__(self) -> None:
        if not 0 <= self.largest_exponent <= 30:
            raise InputError(
                f"product shift: largest_exponent is {self.largest_exponent}, bound is 0..30; choose one in it"
            )

    @property
    def name(self) -> str:
        """Name such as ``shift7_int8``."""
        return f"shift{self.largest_exponent}_{self.input_format.name}"

    @property
    def exponent_bits(self) -> int:
        """Value of the bits of ``e + 1``."""
        return (self.largest_exponent + 1).bit_length()

    @property
    def weight_bits(self) -> int:
        """Value of the sign and the exponent's bits."""
        return self.exponent_bits + 1

    @property
    def alphabets(self) -> tuple[IntArray, IntArray]:
        """All codes of the operands."""
        return codes_of(self.input_format), np.arange(-self.largest_exponent - 1, self.largest_exponent + 2)

    @property
    def corners(self) -> tuple[tuple[int, int], ...]:
        """Pairs of extreme codes."""
        top = self.largest_exponent + 1
        return self._corners(-top, top)

    def constants(self) -> dict[str, int | str]:
        """Return widths and sign."""
        return {**self._input_constants(), "EXPONENT_W": self.exponent_bits}

    def weight_values(self, codes: IntArray) -> IntArray:
        """Return the powers of two."""
        top = self.largest_exponent + 1
        checked = self._checked("weights", codes, -top, top)
        powers = np.left_shift(np.int64(1), np.maximum(np.abs(checked) - 1, 0))
        values: IntArray = np.sign(checked) * powers
        return values

    def weight_words(self, codes: IntArray, kept: BoolArray) -> list[int]:
        """Return a word per code: exponent plus one below, sign above; a zero weight is all zero."""
        column = codes[:, 0]
        return [int(abs(code)) | int(code < 0) << self.exponent_bits for code in column]


@dataclass(frozen=True, slots=True)
class CodebookProduct(IntegerActivation):
    """Codebook weights, decoded and multiplied: the code is an index into `table`.

    Source: deployed form of DGMS (arXiv 2112.15139) and JLCM (arXiv 2309.17361), table entries in fixed point.
    """

    input_format: Int
    table: tuple[int, ...]
    module: ClassVar[str] = "product_codebook"

    def __post_init__(self) -> None:
        size = len(self.table)
        if size < 2 or size > 256 or size & (size - 1):
            raise InputError(
                f"product codebook: table has {size} entries, bound is a power of two from 2 to 256; pad it"
            )
        if self.entry_bits > 32:
            raise InputError(
                f"product codebook: an entry needs {self.entry_bits} bits, bound is 32; scale the table down"
            )

    @property
    def name(self) -> str:
        """Name such as ``codebook4_int8``: index bits and activation."""
        return f"codebook{self.weight_bits}_{self.input_format.name}"

    @property
    def entry_bits(self) -> int:
        """Value of the width of an entry."""
        return signed_bits(min(self.table), max(self.table))

    @property
    def weight_bits(self) -> int:
        """Value of the bits of an index."""
        return (len(self.table) - 1).bit_length()

    @property
    def alphabets(self) -> tuple[IntArray, IntArray]:
        """All codes of the operands."""
        return codes_of(self.input_format), np.arange(len(self.table))

    @property
    def corners(self) -> tuple[tuple[int, int], ...]:
        """Pairs of extreme activations and of the indices of extreme entries."""
        return self._corners(self.table.index(min(self.table)), self.table.index(max(self.table)))

    def constants(self) -> dict[str, int | str]:
        """Return widths, sign and the table."""
        return {
            **self._input_constants(),
            "INDEX_W": self.weight_bits,
            "ENTRY_W": self.entry_bits,
            "TABLE": table_literal(self.table, self.entry_bits),
        }

    def weight_values(self, codes: IntArray) -> IntArray:
        """Return the table's entries."""
        return np.array(self.table, dtype=np.int64)[self._checked("weights", codes, 0, len(self.table) - 1)]

    def weight_words(self, codes: IntArray, kept: BoolArray) -> list[int]:
        """Return a word per index."""
        return plain_words(codes, self.weight_bits)


@dataclass(frozen=True, slots=True)
class SplitProduct(IntegerActivation):
    """Three clusters of weights with a scale and a zero point each: ``scale[c] * (code - zero[c])``.

    A weight code here is ``cluster * 2**bits + code``. Source: SplitQuant (arXiv 2501.12428) as one layer instead of
    three; scales are fixed-point integers.
    """

    input_format: Int
    bits: int
    scales: tuple[int, int, int]
    zeros: tuple[int, int, int]
    module: ClassVar[str] = "product_split"

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 8:
            raise InputError(f"product split: bits is {self.bits}, bound is 1..8; choose a width in it")
        if len(self.scales) != 3 or min(self.scales) < 1 or max(self.scales) >= 1 << 16:
            raise InputError(f"product split: scales are {self.scales}, bound is three of 1..65535; rescale them")
        if len(self.zeros) != 3 or min(self.zeros) < 0 or max(self.zeros) >= 1 << self.bits:
            raise InputError(
                f"product split: zeros are {self.zeros}, bound is three codes of {self.bits} bits; clamp them"
            )

    @property
    def name(self) -> str:
        """Name such as ``split2_int8``."""
        return f"split{self.bits}_{self.input_format.name}"

    @property
    def scale_bits(self) -> int:
        """Value of the width of a scale."""
        return max(self.scales).bit_length()

    @property
    def weight_bits(self) -> int:
        """Value of the bits of a code and of its cluster."""
        return self.bits + 2

    @property
    def alphabets(self) -> tuple[IntArray, IntArray]:
        """All codes of the operands."""
        return codes_of(self.input_format), np.arange(3 << self.bits)

    @property
    def corners(self) -> tuple[tuple[int, int], ...]:
        """Pairs of extreme activations and the ends of every cluster."""
        ends = [cluster << self.bits | code for cluster in range(3) for code in (0, (1 << self.bits) - 1)]
        return self._corners(*ends)

    def constants(self) -> dict[str, int | str]:
        """Return widths, sign, scales and zero points."""
        return {
            **self._input_constants(),
            "CODE_W": self.bits,
            "SCALE_W": self.scale_bits,
            "SCALES": table_literal(self.scales, self.scale_bits),
            "ZEROS": table_literal(self.zeros, self.bits),
        }

    def weight_values(self, codes: IntArray) -> IntArray:
        """Return the scaled differences."""
        checked = self._checked("weights", codes, 0, (3 << self.bits) - 1)
        cluster, code = checked >> self.bits, bits_of(checked, self.bits)
        scales, zeros = (np.array(values, dtype=np.int64)[cluster] for values in (self.scales, self.zeros))
        values: IntArray = scales * (code - zeros)
        return values

    def weight_words(self, codes: IntArray, kept: BoolArray) -> list[int]:
        """Return a word per code."""
        return plain_words(codes, self.weight_bits)
