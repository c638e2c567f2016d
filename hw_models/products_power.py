"""Lanes for power-exponent codes: decode tables, one product table, or a squarer."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, Literal

import numpy as np

from hw_models.products import IntArray, Product
from hw_models.products_table import BoolArray, table_literal
from workloads.errors import InputError


@dataclass(frozen=True, slots=True)
class PowerProduct(Product):
    """Power-exponent codes: code q of `bits` bits is worth ``sign(q) * |q|**(1/exponent)``, in one of three datapaths.

    With ``1/exponent`` an integer every magnitude is an integer and the three agree exactly. Otherwise magnitudes are
    fixed point: `form` ``decode`` rounds each operand to `fraction_bits`, ``table`` rounds the product once to twice as
    many; a product then differs by at most ``product_difference_bound`` units of ``2**(-2 * fraction_bits)``.

    Parameters
    ----------
    exponent : Fraction
        The a of the format, in (0, 1].
    form : {"decode", "table", "square"}
        Decode tables and a multiplier; one product table; a squarer (exponent 1/2 only).
    fraction_bits : int
        Of a decoded magnitude; 0 where ``1/exponent`` is an integer.

    Notes
    -----
    Source: PowerQuant and NUPES (arXiv 2301.09858, 2308.05600): powers are the automorphisms that keep products.
    """

    bits: int
    exponent: Fraction
    form: Literal["decode", "table", "square"]
    fraction_bits: int = 0

    _MODULES: ClassVar[dict[str, str]] = {
        "decode": "product_power_decode", "table": "product_power_table", "square": "product_power_square",
    }  # fmt: skip

    def __post_init__(self) -> None:
        largest = 6 if self.form == "table" else 8
        if self.form not in self._MODULES:
            raise InputError(f"product power: form is '{self.form}', bound is {', '.join(self._MODULES)}; choose one")
        if not 2 <= self.bits <= largest:
            raise InputError(f"product power: bits is {self.bits}, bound is 2..{largest} for '{self.form}'; narrow it")
        if not 0 < self.exponent <= 1:
            raise InputError(f"product power: exponent is {self.exponent}, bound is 0 < a <= 1; choose one in it")
        if self.form == "square" and self.exponent != Fraction(1, 2):
            raise InputError(f"product power: form 'square' with exponent {self.exponent}, bound is 1/2; use a table")
        exact = (1 / self.exponent).denominator == 1
        if exact and self.fraction_bits:
            raise InputError("product power: fraction_bits with an integer 1/exponent, bound is 0; leave it out")
        if not exact and not 1 <= self.fraction_bits <= 12:
            raise InputError(f"product power: fraction_bits is {self.fraction_bits}, bound is 1..12; give the table's")
        if self.product_bits > 48:
            raise InputError(f"product power: a product needs {self.product_bits} bits, bound is 48; narrow the code")

    @property
    def module(self) -> str:  # type: ignore[override]
        """Value of the SystemVerilog module of the form."""
        return self._MODULES[self.form]

    @property
    def name(self) -> str:
        """Name such as ``power4_1of2_square``."""
        fraction = f"_f{self.fraction_bits}" if self.fraction_bits else ""
        return f"power{self.bits}_{self.exponent.numerator}of{self.exponent.denominator}_{self.form}{fraction}"

    @property
    def largest(self) -> int:
        """Value of the greatest magnitude code."""
        return (1 << (self.bits - 1)) - 1

    @property
    def activation_bits(self) -> int:
        """Value of the width of a code."""
        return self.bits

    @property
    def weight_bits(self) -> int:
        """Value of the width of a code."""
        return self.bits

    @property
    def alphabets(self) -> tuple[IntArray, IntArray]:
        """All codes of the operands."""
        return np.arange(-self.largest, self.largest + 1), np.arange(-self.largest, self.largest + 1)

    @property
    def corners(self) -> tuple[tuple[int, int], ...]:
        """Pairs of extreme codes: magnitudes rise with the code."""
        top = self.largest
        return ((-top, top), (top, top))

    @property
    def product_difference_bound(self) -> int:
        """Value of the most that the decode and the table form differ per product, in their common unit.

        Each decoded operand is off by at most 1/2 of ``2**-fraction_bits``; with the greatest magnitude D the product
        is off by at most D/2 + D/2 + 1/4, the table's by 1/2.
        """
        if not self.fraction_bits:
            return 0
        return self._magnitude(self.largest, self.fraction_bits) + 1

    def magnitudes(self) -> tuple[int, ...]:
        """Return the decoded magnitude of each magnitude code."""
        return tuple(self._magnitude(code, self.fraction_bits) for code in range(self.largest + 1))

    def product_magnitudes(self) -> tuple[int, ...]:
        """Return the magnitude of the product of each pair of magnitude codes, the second varying fastest."""
        span = range(self.largest + 1)
        return tuple(self._magnitude(a * w, 2 * self.fraction_bits) for a in span for w in span)

    def _magnitude(self, code: int, fraction_bits: int) -> int:
        """Return ``code**(1/exponent) * 2**fraction_bits``, rounded to nearest, ties up, in exact integers.

        With exponent n/d the value is the n-th root of ``code**d * 2**(n * fraction_bits)``; the root of 2**n times
        that has one more bit, from which the rounding follows.
        """
        n, d = self.exponent.numerator, self.exponent.denominator
        return (_root(code**d << (n * (fraction_bits + 1)), n) + 1) >> 1

    def constants(self) -> dict[str, int | str]:
        """Return the width and the table of the form."""
        if self.form == "square":
            return {"BITS": self.bits}
        entries = self.magnitudes() if self.form == "decode" else self.product_magnitudes()
        width = max(1, max(entries).bit_length())
        return {"BITS": self.bits, "ENTRY_W": width, "TABLE": table_literal(entries, width)}

    def activation_values(self, codes: IntArray) -> IntArray:
        """Return the decoded codes, in units of ``2**-fraction_bits``."""
        checked = self._checked("codes", codes, -self.largest, self.largest)
        return np.sign(checked) * np.array(self.magnitudes(), dtype=np.int64)[np.abs(checked)]

    def weight_values(self, codes: IntArray) -> IntArray:
        """Return the decoded codes, in units of ``2**-fraction_bits``."""
        return self.activation_values(codes)

    def pair_values(self, a: IntArray, w: IntArray) -> IntArray:
        """Return the products of codes in units of ``2**(-2 * fraction_bits)``, as the form rounds them."""
        if self.form != "table":
            return self.activation_values(a) * self.weight_values(w)
        self.activation_values(a), self.weight_values(w)  # refuse what is outside the format
        table = np.array(self.product_magnitudes(), dtype=np.int64)
        values: IntArray = np.sign(a) * np.sign(w) * table[np.abs(a) * (self.largest + 1) + np.abs(w)]
        return values

    def activation_words(self, codes: IntArray, kept: BoolArray) -> list[int]:
        """Return a word per code: magnitude below, sign above; padding is 0."""
        column = np.where(kept, codes, 0)[:, 0]
        return [int(abs(code)) | int(code < 0) << (self.bits - 1) for code in column]

    def weight_words(self, codes: IntArray, kept: BoolArray) -> list[int]:
        """Return a word per code: magnitude below, sign above; padding is 0."""
        return self.activation_words(codes, kept)


def _root(value: int, degree: int) -> int:
    """Return the integer part of the `degree`-th root, by bisection in exact integers."""
    low, high = 0, 1 << (-(-value.bit_length() // degree))
    while low < high:
        middle = (low + high + 1) // 2
        if middle**degree <= value:
            low = middle
        else:
            high = middle - 1
    return low
