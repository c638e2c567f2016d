"""How one lane of a dot-product core multiplies: the value of a pair of codes and the words that carry them.

A lane takes `elements` activations and their weights per beat and gives the sum of their products. Each kind states
what its codes are worth (`activation_values`, `weight_values`, exact integers) and how they are stored in the words of
the two streams; ``rtl/dot`` holds one SystemVerilog module per kind. The golden result of a core is computed from the
values alone (`hw_models.dot`), never from the words.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from workloads.errors import InputError
from workloads.formats import Int

IntArray = npt.NDArray[np.int64]


def signed_bits(least: int, greatest: int) -> int:
    """Return the least width of a two's complement number that holds both ends.

    Examples
    --------
    >>> signed_bits(-128, 127), signed_bits(0, 128), signed_bits(0, 0)
    (8, 9, 1)
    """
    return 1 + max(greatest.bit_length() if greatest > 0 else 0, (-1 - least).bit_length() if least < 0 else 0)


def codes_of(form: Int) -> IntArray:
    """Return all codes of an integer format."""
    return np.arange(form.min, form.max + 1, dtype=np.int64)


def bits_of(values: IntArray, width: int) -> IntArray:
    """Return the low `width` bits of each code as a non-negative number."""
    return values & np.int64((1 << width) - 1)


class Product(ABC):
    """One kind of lane.

    Codes are integers of shape (reductions, length). A kind may refuse codes that it cannot store.
    """

    #: SystemVerilog module of the lane.
    module: ClassVar[str]

    @property
    @abstractmethod
    def name(self) -> str:
        """Name of the kind with its formats, part of the core's name."""

    @property
    def elements(self) -> int:
        """Value of the activations that one lane takes per beat."""
        return 1

    @property
    @abstractmethod
    def activation_bits(self) -> int:
        """Value of the bits of one lane's activation word."""

    @property
    @abstractmethod
    def weight_bits(self) -> int:
        """Value of the bits of one lane's weight word."""

    @property
    @abstractmethod
    def alphabets(self) -> tuple[IntArray, IntArray]:
        """All activation codes and all weight codes, ascending."""

    @property
    @abstractmethod
    def corners(self) -> tuple[tuple[int, int], ...]:
        """Pairs of activation and weight codes among which the extreme products lie."""

    @abstractmethod
    def constants(self) -> dict[str, int | str]:
        """Return the SystemVerilog parameters of the module, without the product's width; tables as sized literals."""

    @abstractmethod
    def activation_values(self, codes: IntArray) -> IntArray:
        """Return what activation codes are worth; refuse codes outside the format."""

    @abstractmethod
    def weight_values(self, codes: IntArray) -> IntArray:
        """Return what weight codes are worth; refuse codes outside the format."""

    @abstractmethod
    def activation_words(self, codes: IntArray, kept: npt.NDArray[np.bool_]) -> list[int]:
        """Return the lane words of `codes`, shape (words, elements); `kept` tells real codes from padding."""

    @abstractmethod
    def weight_words(self, codes: IntArray, kept: npt.NDArray[np.bool_]) -> list[int]:
        """Return the lane words of `codes`, shape (words, elements); `kept` tells real codes from padding."""

    def pair_values(self, a: IntArray, w: IntArray) -> IntArray:
        """Return the products of activation and weight codes, element by element."""
        return self.activation_values(a) * self.weight_values(w)

    @property
    def terms(self) -> int:
        """Value of the most products that one lane adds per beat."""
        return self.elements

    @property
    def product_bits(self) -> int:
        """Value of the bits that hold any sum of one lane and beat."""
        least, greatest = self.extremes
        return signed_bits(self.terms * min(least, 0), self.terms * max(greatest, 0))

    @property
    def extremes(self) -> tuple[int, int]:
        """Value of the least and the greatest product of two codes."""
        values = [int(self.pair_values(np.array([[a]]), np.array([[w]]))[0, 0]) for a, w in self.corners]
        return min(values), max(values)

    def _checked(self, subject: str, codes: IntArray, least: int, greatest: int) -> IntArray:
        if codes.size and (codes.min() < least or codes.max() > greatest):
            raise InputError(
                f"product '{self.name}': {subject} span {codes.min()}..{codes.max()}, bound is {least}..{greatest}; "
                f"quantise or choose another kind"
            )
        return codes


def packed(row: IntArray, width: int) -> int:
    """Return the codes of `row` side by side, the first lowest; any number of bits."""
    mask = (1 << width) - 1
    return sum((int(code) & mask) << (place * width) for place, code in enumerate(row))


def plain_words(codes: IntArray, width: int) -> list[int]:
    """Return words of one code each."""
    return [int(word) for word in bits_of(codes[:, 0], width)]


@dataclass(frozen=True, slots=True)
class IntProduct(Product):
    """Integer by integer, each signed or unsigned, of its own width."""

    input_format: Int
    weight_format: Int
    module: ClassVar[str] = "product_int"

    @property
    def name(self) -> str:
        """Name such as ``int8`` or ``uint8xint4``."""
        i, w = self.input_format, self.weight_format
        return i.name if i == w else f"{i.name}x{w.name}"

    @property
    def activation_bits(self) -> int:
        """Value of the width of an activation."""
        return self.input_format.bits

    @property
    def weight_bits(self) -> int:
        """Value of the width of a weight."""
        return self.weight_format.bits

    @property
    def alphabets(self) -> tuple[IntArray, IntArray]:
        """All codes of the operands."""
        return codes_of(self.input_format), codes_of(self.weight_format)

    @property
    def corners(self) -> tuple[tuple[int, int], ...]:
        """Corners of the operand ranges: a product is bilinear."""
        i, w = self.input_format, self.weight_format
        return tuple((a, b) for a in (i.min, i.max) for b in (w.min, w.max))

    def constants(self) -> dict[str, int | str]:
        """Return the widths and signs."""
        i, w = self.input_format, self.weight_format
        return {
            "INPUT_W": i.bits, "INPUT_SIGNED": int(i.signed), "WEIGHT_W": w.bits, "WEIGHT_SIGNED": int(w.signed),
        }  # fmt: skip

    def activation_values(self, codes: IntArray) -> IntArray:
        """Return the codes: they are their values."""
        return self._checked("activations", codes, self.input_format.min, self.input_format.max)

    def weight_values(self, codes: IntArray) -> IntArray:
        """Return the codes: they are their values."""
        return self._checked("weights", codes, self.weight_format.min, self.weight_format.max)

    def activation_words(self, codes: IntArray, kept: npt.NDArray[np.bool_]) -> list[int]:
        """Return a word per code; padding is 0."""
        return plain_words(np.where(kept, codes, 0), self.activation_bits)

    def weight_words(self, codes: IntArray, kept: npt.NDArray[np.bool_]) -> list[int]:
        """Return a word per code; padding is 0."""
        return plain_words(np.where(kept, codes, 0), self.weight_bits)


@dataclass(frozen=True, slots=True)
class NMProduct(Product):
    """N:M structured sparsity: of each group of M weights at most N are not zero and stored with their index.

    Source: the N:M processing element of SAT (arXiv 2309.13015), here with one multiplier per kept weight.
    """

    n: int
    m: int
    input_format: Int
    weight_format: Int
    module: ClassVar[str] = "product_nm"

    def __post_init__(self) -> None:
        if not 1 <= self.n <= self.m <= 16:
            raise InputError(f"product N:M: {self.n}:{self.m}, bound is 1 <= N <= M <= 16; choose a pattern in it")

    @property
    def name(self) -> str:
        """Name such as ``nm2of4_int8``."""
        return f"nm{self.n}of{self.m}_{IntProduct(self.input_format, self.weight_format).name}"

    @property
    def elements(self) -> int:
        """Value of the group length M."""
        return self.m

    @property
    def index_bits(self) -> int:
        """Value of the bits of an index, ``ceil(log2 M)``, at least one."""
        return max(1, (self.m - 1).bit_length())

    @property
    def activation_bits(self) -> int:
        """Value of the bits of a group of M activations."""
        return self.m * self.input_format.bits

    @property
    def weight_bits(self) -> int:
        """Value of the bits of N kept weights and their indices."""
        return self.n * (self.weight_format.bits + self.index_bits)

    @property
    def terms(self) -> int:
        """Value of N: no more weights are kept."""
        return self.n

    @property
    def alphabets(self) -> tuple[IntArray, IntArray]:
        """All codes of the operands."""
        return codes_of(self.input_format), codes_of(self.weight_format)

    @property
    def corners(self) -> tuple[tuple[int, int], ...]:
        """Corners of the operand ranges."""
        return IntProduct(self.input_format, self.weight_format).corners

    def constants(self) -> dict[str, int | str]:
        """Return pattern, widths and signs."""
        plain = IntProduct(self.input_format, self.weight_format).constants()
        return {"N": self.n, "M": self.m, **plain, "INDEX_W": self.index_bits}

    def activation_values(self, codes: IntArray) -> IntArray:
        """Return the codes: they are their values."""
        return self._checked("activations", codes, self.input_format.min, self.input_format.max)

    def weight_values(self, codes: IntArray) -> IntArray:
        """Return the codes; they are dense, zeros included, and each group keeps to the pattern.

        Raises
        ------
        InputError
            If a group has more than N weights that are not zero.
        """
        dense = np.pad(codes, ((0, 0), (0, -codes.shape[1] % self.m))) != 0
        most = int(dense.reshape(-1, self.m).sum(axis=1).max(initial=0))
        if most > self.n:
            raise InputError(
                f"product '{self.name}': a group of {self.m} has {most} weights that are not zero, bound is {self.n}; "
                f"prune to the pattern first"
            )
        return self._checked("weights", codes, self.weight_format.min, self.weight_format.max)

    def activation_words(self, codes: IntArray, kept: npt.NDArray[np.bool_]) -> list[int]:
        """Return a word per group: M activations, the first lowest."""
        width = self.input_format.bits
        return [packed(row, width) for row in np.where(kept, codes, 0)]

    def weight_words(self, codes: IntArray, kept: npt.NDArray[np.bool_]) -> list[int]:
        """Return a word per group: N slots of value and index, kept weights in order of their index."""
        dense = np.where(kept, codes, 0)
        width, slot = self.weight_format.bits, self.weight_format.bits + self.index_bits
        words: list[int] = []
        for row in dense:
            word = 0
            for place, index in enumerate(np.flatnonzero(row)):
                value = int(row[index]) & ((1 << width) - 1)
                word |= (value | int(index) << width) << (place * slot)
            words.append(word)
        return words
