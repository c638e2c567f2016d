"""Dequantise-on-read: packed weight codes in groups with a scale and a zero point, out as integers or binary16.

The unit stands between a weight buffer and an array whose other operand is wider than the stored weight (W4A8, W4A16).
Source: the weight format of AWQ (arXiv 2306.00978): groups of 128 along the reduction, asymmetric, ``(code - zero) *
scale``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from hw_models.nibbles import check_order, linear_order
from hw_models.products import IntArray, signed_bits
from workloads.errors import InputError
from workloads.formats import Float16, FloatFormat, Format, Int

HalfArray = npt.NDArray[np.float16]
_INT8 = Int(8)
_EIGHT = linear_order(8)


@dataclass(frozen=True, slots=True)
class DequantParams:
    """Parameters of one dequantise-on-read unit.

    Parameters
    ----------
    bits : int
        Width of a code, unsigned; a zero point is one of the codes.
    group : int
        Consecutive codes that share a scale and a zero point; whole words.
    scale_format : Int or Float16
        Integer: the result is the exact integer product. Float16: the result is binary16, rounded once to nearest even.
    order : tuple of int
        Place i of a word, lowest first, holds code ``order[i]`` of the word's codes (`hw_models.nibbles`).

    Notes
    -----
    Time of an event is the clock edge that ends its cycle. One word in, its values out, per cycle.
    """

    bits: int = 4
    group: int = 128
    scale_format: Int | FloatFormat = _INT8
    order: tuple[int, ...] = _EIGHT

    #: Operands, difference, product, then the handshake; the first edge is that of the word's own handshake.
    INTEGER_LATENCY_CYCLES: ClassVar[int] = 3
    #: Rounding is one edge more.
    FLOAT_LATENCY_CYCLES: ClassVar[int] = 4

    def __post_init__(self) -> None:
        if not 2 <= self.bits <= 8:
            raise InputError(f"dequantise unit: bits is {self.bits}, bound is 2..8; choose a width in it")
        check_order(self.order)
        if self.group < 1 or self.group % self.codes_per_word or self.group > 1 << 16:
            raise InputError(
                f"dequantise unit: group is {self.group} codes, bound is 1..65536 in whole words of "
                f"{self.codes_per_word} codes; choose a multiple"
            )
        _check_scale_format(self.scale_format)

    @property
    def name(self) -> str:
        """Name such as ``dequant4_g128_int8`` or ``dequant4_g128_float16_interleaved``."""
        linear = self.order == linear_order(self.codes_per_word)
        return f"dequant{self.bits}_g{self.group}_{self.scale_format.name}{'' if linear else '_interleaved'}"

    @property
    def floating(self) -> bool:
        """Value of whether results are binary16."""
        return isinstance(self.scale_format, FloatFormat)

    @property
    def codes_per_word(self) -> int:
        """Value of the codes of a word, and of the values of a result beat."""
        return len(self.order)

    @property
    def word_bits(self) -> int:
        """Value of the width of a word."""
        return self.codes_per_word * self.bits

    @property
    def words_per_group(self) -> int:
        """Value of the words of a group."""
        return self.group // self.codes_per_word

    @property
    def output_bits(self) -> int:
        """Value of the width of a result: binary16, or two's complement that holds every product."""
        if isinstance(self.scale_format, FloatFormat):
            return 16
        most = (1 << self.bits) - 1
        ends = [sign * most * end for sign in (-1, 1) for end in (self.scale_format.min, self.scale_format.max)]
        return signed_bits(min(ends), max(ends))

    @property
    def latency_cycles(self) -> int:
        """Value of the time from the handshake of a word to that of its values, in cycles."""
        return self.FLOAT_LATENCY_CYCLES if self.floating else self.INTEGER_LATENCY_CYCLES

    @property
    def stored_bits_per_code(self) -> float:
        """Value of the stored bits per weight, scale and zero point included."""
        return self.bits + (self.scale_format.bits + self.bits) / self.group

    def cycles(self, lengths: Sequence[int], operands: tuple[Any, ...] | None = None) -> int:
        """Return the time from the first word's handshake to the last values', streams never stalling.

        `lengths` are codes per row; `operands` change nothing.

        Examples
        --------
        >>> DequantParams().cycles([256, 128])
        50
        """
        if not lengths:
            raise InputError(f"core '{self.name}': no row lengths, bound is >= 1 row; give the codes of each")
        for length in lengths:
            self._check_length(length)
        return sum(lengths) // self.codes_per_word - 1 + self.latency_cycles

    def golden(self, codes: IntArray, zeros: IntArray, scales: IntArray | HalfArray) -> IntArray | HalfArray:
        """Return ``(code - zero) * scale``, bit for bit.

        Parameters
        ----------
        codes : ndarray of int, shape (rows, length)
            Codes; `length` is whole groups.
        zeros : ndarray of int, shape (rows, length / group)
            Zero point of each group.
        scales : ndarray of int or float16, shape (rows, length / group)
            Scale of each group; binary16 scales are finite.

        Returns
        -------
        ndarray of int64 or float16, shape (rows, length)
        """
        stored, points = np.asarray(codes, dtype=np.int64), np.asarray(zeros, dtype=np.int64)
        if stored.ndim != 2 or 0 in stored.shape:
            raise InputError(f"core '{self.name}': codes {stored.shape}, bound is (rows, length); reshape them")
        self._check_length(stored.shape[1])
        shape = (stored.shape[0], stored.shape[1] // self.group)
        for subject, array in (("zeros", points), ("scales", scales)):
            if array.shape != shape:
                raise InputError(f"core '{self.name}': {subject} {array.shape}, bound is {shape}; give one per group")
        for subject, array in (("codes", stored), ("zeros", points)):
            if array.min() < 0 or array.max() >= 1 << self.bits:
                raise InputError(
                    f"core '{self.name}': {subject} span {array.min()}..{array.max()}, bound is "
                    f"0..{(1 << self.bits) - 1}; clamp them"
                )
        difference = stored - np.repeat(points, self.group, axis=1)
        wide = np.repeat(self._checked_scales(scales), self.group, axis=1)
        if self.floating:
            with np.errstate(over="ignore", under="ignore"):
                half: HalfArray = np.multiply(difference.astype(np.float16), wide, dtype=np.float16)
            return half
        product: IntArray = difference * wide
        return product

    def _checked_scales(self, scales: npt.NDArray[Any]) -> npt.NDArray[Any]:
        if isinstance(self.scale_format, FloatFormat):
            if scales.dtype != np.float16 or not np.isfinite(scales).all():
                raise InputError(
                    f"core '{self.name}': scales of type {scales.dtype}, bound is finite float16; clip and convert them"
                )
            return scales
        form = self.scale_format
        if scales.dtype.kind not in "iu" or scales.min() < form.min or scales.max() > form.max:
            raise InputError(
                f"core '{self.name}': scales of type {scales.dtype} span {scales.min()}..{scales.max()}, bound is "
                f"{form.min}..{form.max}; rescale them"
            )
        return scales.astype(np.int64)

    def _check_length(self, length: int) -> None:
        if length < 1 or length % self.group:
            raise InputError(
                f"core '{self.name}': a row has {length} codes, bound is a multiple of the group of {self.group}; pad "
                f"the row or choose a group that divides it"
            )


def _check_scale_format(form: Format) -> None:
    if isinstance(form, Int):
        if form.bits > 16:
            raise InputError(f"dequantise unit: scale_format is {form.name}, bound is 16 bits; rescale the weights")
    elif form != Float16():
        raise InputError(f"dequantise unit: scale_format is {form.name}, bound is an integer or float16; convert it")
