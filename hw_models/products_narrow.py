"""Lanes without a multiplier: binary, ternary and add/subtract-select products.

Source: the processing elements that binary and ternary transformers need (facebookresearch/Ternary_Binary_Transformer,
ACL 2023); scales per row are left to the epilogue.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from hw_models.products import IntArray, Product, codes_of, packed, plain_words
from workloads.errors import InputError
from workloads.formats import Int


def flag_word(row: npt.NDArray[np.bool_]) -> int:
    return sum(1 << int(place) for place in np.flatnonzero(row))


@dataclass(frozen=True, slots=True)
class XnorProduct(Product):
    """Binary by binary: codes -1 and +1, `bits` of them per lane, XNOR and population count."""

    bits: int
    module: ClassVar[str] = "product_xnor"

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 256:
            raise InputError(f"product xnor: bits is {self.bits}, bound is 1..256; choose a width in it")

    @property
    def name(self) -> str:
        """Name such as ``xnor32``."""
        return f"xnor{self.bits}"

    @property
    def elements(self) -> int:
        """Value of the bits per lane."""
        return self.bits

    @property
    def activation_bits(self) -> int:
        """Value of the bits and their keep flags."""
        return 2 * self.bits

    @property
    def weight_bits(self) -> int:
        """Value of the bits."""
        return self.bits

    @property
    def alphabets(self) -> tuple[IntArray, IntArray]:
        """All codes of the operands."""
        return np.array([-1, 1]), np.array([-1, 1])

    @property
    def corners(self) -> tuple[tuple[int, int], ...]:
        """All pairs."""
        return ((-1, -1), (-1, 1), (1, -1), (1, 1))

    def constants(self) -> dict[str, int | str]:
        """Return the bits per lane."""
        return {"BITS": self.bits}

    def activation_values(self, codes: IntArray) -> IntArray:
        """Return the codes: they are their values; zero is none."""
        return self._no_zero("activations", codes)

    def weight_values(self, codes: IntArray) -> IntArray:
        """Return the codes: they are their values; zero is none."""
        return self._no_zero("weights", codes)

    def _no_zero(self, subject: str, codes: IntArray) -> IntArray:
        if (codes == 0).any():
            raise InputError(f"product '{self.name}': {subject} hold 0, codes are -1 and +1; binarise them")
        return self._checked(subject, codes, -1, 1)

    def activation_words(self, codes: IntArray, kept: npt.NDArray[np.bool_]) -> list[int]:
        """Return a word per lane and beat: bits below, keep flags above."""
        return [flag_word(row > 0) | flag_word(keep) << self.bits for row, keep in zip(codes, kept, strict=True)]

    def weight_words(self, codes: IntArray, kept: npt.NDArray[np.bool_]) -> list[int]:
        """Return a word of bits per lane and beat."""
        return [flag_word((row > 0) & keep) for row, keep in zip(codes, kept, strict=True)]


@dataclass(frozen=True, slots=True)
class TernaryProduct(Product):
    """Ternary by ternary: codes -1, 0, +1 in two bits each, `trits` of them per lane."""

    trits: int
    module: ClassVar[str] = "product_ternary"

    def __post_init__(self) -> None:
        if not 1 <= self.trits <= 128:
            raise InputError(f"product ternary: trits is {self.trits}, bound is 1..128; choose a width in it")

    @property
    def name(self) -> str:
        """Name such as ``ternary16``."""
        return f"ternary{self.trits}"

    @property
    def elements(self) -> int:
        """Value of the trits per lane."""
        return self.trits

    @property
    def activation_bits(self) -> int:
        """Value of two bits per trit."""
        return 2 * self.trits

    @property
    def weight_bits(self) -> int:
        """Value of two bits per trit."""
        return 2 * self.trits

    @property
    def alphabets(self) -> tuple[IntArray, IntArray]:
        """All codes of the operands."""
        return np.arange(-1, 2), np.arange(-1, 2)

    @property
    def corners(self) -> tuple[tuple[int, int], ...]:
        """Pairs of extreme codes."""
        return ((-1, -1), (-1, 1), (1, -1), (1, 1))

    def constants(self) -> dict[str, int | str]:
        """Return the trits per lane."""
        return {"TRITS": self.trits}

    def activation_values(self, codes: IntArray) -> IntArray:
        """Return the codes: they are their values."""
        return self._checked("activations", codes, -1, 1)

    def weight_values(self, codes: IntArray) -> IntArray:
        """Return the codes: they are their values."""
        return self._checked("weights", codes, -1, 1)

    def activation_words(self, codes: IntArray, kept: npt.NDArray[np.bool_]) -> list[int]:
        """Return a word of trits per lane and beat."""
        return [packed(row, 2) for row in np.where(kept, codes, 0)]

    def weight_words(self, codes: IntArray, kept: npt.NDArray[np.bool_]) -> list[int]:
        """Return a word of trits per lane and beat."""
        return [packed(row, 2) for row in np.where(kept, codes, 0)]


@dataclass(frozen=True, slots=True)
class SelectProduct(Product):
    """Add/subtract-select: weights {-1, +1} in one bit or {-1, 0, +1} in two, by an integer activation."""

    input_format: Int
    binary: bool
    module: ClassVar[str] = "product_select"

    @property
    def name(self) -> str:
        """Name such as ``select1_int8`` (one bit) or ``select2_int8``."""
        return f"select{self.weight_bits}_{self.input_format.name}"

    @property
    def activation_bits(self) -> int:
        """Value of the width of an activation."""
        return self.input_format.bits

    @property
    def weight_bits(self) -> int:
        """Value of one or two bits."""
        return 1 if self.binary else 2

    @property
    def alphabets(self) -> tuple[IntArray, IntArray]:
        """All codes of the operands."""
        return codes_of(self.input_format), np.array([-1, 1]) if self.binary else np.arange(-1, 2)

    @property
    def corners(self) -> tuple[tuple[int, int], ...]:
        """Pairs of extreme codes."""
        return tuple((a, w) for a in (self.input_format.min, self.input_format.max) for w in (-1, 1))

    def constants(self) -> dict[str, int | str]:
        """Return widths, sign and whether weights are binary."""
        i = self.input_format
        return {
            "INPUT_W": i.bits, "INPUT_SIGNED": int(i.signed), "BINARY": int(self.binary), "WEIGHT_W": self.weight_bits,
        }  # fmt: skip

    def activation_values(self, codes: IntArray) -> IntArray:
        """Return the codes: they are their values."""
        return self._checked("activations", codes, self.input_format.min, self.input_format.max)

    def weight_values(self, codes: IntArray) -> IntArray:
        """Return the codes: they are their values; binary weights have no zero."""
        if self.binary and (codes == 0).any():
            raise InputError(f"product '{self.name}': weights hold 0, codes are -1 and +1; use the two-bit kind")
        return self._checked("weights", codes, -1, 1)

    def activation_words(self, codes: IntArray, kept: npt.NDArray[np.bool_]) -> list[int]:
        """Return a word per code; padding is 0."""
        return plain_words(np.where(kept, codes, 0), self.activation_bits)

    def weight_words(self, codes: IntArray, kept: npt.NDArray[np.bool_]) -> list[int]:
        """Return a word per code: one bit is 1 for +1, two bits are two's complement."""
        return plain_words((codes > 0).astype(np.int64) if self.binary else np.where(kept, codes, 0), self.weight_bits)
