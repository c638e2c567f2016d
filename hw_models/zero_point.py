"""Zero-point correction: sums of raw codes become sums of asymmetric products, one multiply per result.

``sum((a - za) * (w - zw)) = sum(a * w) - zw * sum(a) + (K * za * zw - za * sum(w))`` over a reduction of length K: an
array multiplies raw codes, and this core subtracts the zero point of the column times the row's sum and adds a constant
of the column. Source: the four-term expansion of affine quantisation (Jacob et al., CVPR 2018, arXiv 1712.05877).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from hw_models.products import IntArray, IntProduct, signed_bits
from hw_models.systolic import derived_accumulator
from workloads.errors import InputError
from workloads.formats import Int


@dataclass(frozen=True, slots=True)
class ZeroPointParams:
    """Parameters of one zero-point correction core; every result is exact.

    Parameters
    ----------
    input_format, weight_format : Int
        Codes of activations and weights; a zero point is a code of its tensor's format. One zero point for all
        activations, one per column of the weights.
    sum_format : Int
        Raw sums as they come: the accumulator of the array, which must not wrap on `length` products.
    cols : int
        Columns side by side: the columns of the array.
    length : int
        Longest reduction.

    Notes
    -----
    Time of an event is the clock edge that ends its cycle. One vector of `cols` sums in, one out, per cycle. The
    constants of a tile of columns go in with its first vector.
    """

    input_format: Int
    weight_format: Int
    sum_format: Int
    cols: int
    length: int

    #: Operands (the edge of the handshake), product beside sum and constant, difference, then the handshake.
    LATENCY_CYCLES: ClassVar[int] = 3

    def __post_init__(self) -> None:
        for key, value, most in (("cols", self.cols, 1024), ("length", self.length, 1 << 24)):
            if not 1 <= value <= most:
                raise InputError(f"zero-point core: {key} is {value}, bound is 1..{most}; choose a count in it")
        for key, form in (("input_format", self.input_format), ("weight_format", self.weight_format)):
            if form.bits > 16:
                raise InputError(f"zero-point core: {key} is {form}, bound is 16 bits; quantise narrower")
        least = derived_accumulator(self.input_format, self.weight_format, self.length)
        if self.sum_format.min > least.min or self.sum_format.max < least.max:
            raise InputError(
                f"zero-point core: sum_format is {self.sum_format}, {self.length} products of {self.input_format} and "
                f"{self.weight_format} need {least}; widen the sums or shorten the reduction"
            )

    @property
    def name(self) -> str:
        """Name such as ``zero_point_uint8xint8``."""
        return f"zero_point_{IntProduct(self.input_format, self.weight_format).name}"

    @property
    def row_sum_format(self) -> Int:
        """Value of the least format of a sum of `length` activation codes."""
        least, greatest = self.length * self.input_format.min, self.length * self.input_format.max
        if least < 0:
            return Int(signed_bits(least, greatest))
        return Int(greatest.bit_length(), signed=False)

    @property
    def output_format(self) -> Int:
        """Value of the least format that holds every result: a difference of codes reaches ``+-(2**b - 1)``."""
        most = self.length * ((1 << self.input_format.bits) - 1) * ((1 << self.weight_format.bits) - 1)
        return Int(signed_bits(-most, most))

    @property
    def column_bits(self) -> int:
        """Value of the bits of a column's constants: zero point below the folded constant."""
        return self.weight_format.bits + self.output_format.bits

    @property
    def latency_cycles(self) -> int:
        """Value of the time from the handshake of a vector of sums to that of its results, in cycles."""
        return self.LATENCY_CYCLES

    def cycles(self, m: int, n: int) -> int:
        """Return the time from the first vector's handshake to the last result's, streams never stalling.

        Parameters
        ----------
        m, n : int
            Rows and columns of the result; each tile of `cols` columns takes `m` vectors.

        Examples
        --------
        >>> ZeroPointParams(Int(8), Int(8), Int(32), cols=4, length=64).cycles(m=10, n=9)
        32
        """
        if m < 1 or n < 1:
            raise InputError(f"core '{self.name}': a result of {m} x {n}, bound is >= 1 each; leave it out")
        return m * -(-n // self.cols) - 1 + self.latency_cycles

    def golden(self, a: npt.ArrayLike, w: npt.ArrayLike, za: int, zw: npt.ArrayLike) -> IntArray:
        """Return ``(a - za) @ (w - zw)``, the definition.

        Parameters
        ----------
        a : array_like of int, shape (M, K)
            Activation codes, K at most `length`.
        w : array_like of int, shape (K, N)
            Weight codes.
        za : int
            Zero point of the activations.
        zw : array_like of int, shape (N,)
            Zero points of the columns.

        Returns
        -------
        ndarray of int64, shape (M, N)
        """
        left, right, points = self._checked(a, w, za, zw)
        return (left - za) @ (right - points)

    def folded(self, w: npt.ArrayLike, za: int, zw: npt.ArrayLike) -> IntArray:
        """Return the constant of each column, ``K * za * zw - za * sum(w)``: no activation is in it.

        Returns
        -------
        ndarray of int64, shape (N,)
        """
        _, right, points = self._checked(np.full((1, np.shape(w)[0]), self.input_format.min), w, za, zw)
        constant: IntArray = za * (len(right) * points - right.sum(axis=0))
        return constant

    def corrected(self, sums: IntArray, row_sums: IntArray, zw: IntArray, folded: IntArray) -> IntArray:
        """Return what the core makes of raw sums.

        Parameters
        ----------
        sums : ndarray of int, shape (M, N)
            ``a @ w``.
        row_sums : ndarray of int, shape (M,)
            Sums of the rows of `a`.
        zw, folded : ndarray of int, shape (N,)
            Zero points and `folded` constants.

        Returns
        -------
        ndarray of int64, shape (M, N)
            `golden` of the operands.
        """
        return self.output_format.wrap(sums - row_sums[:, None] * zw + folded)

    def _checked(self, a: npt.ArrayLike, w: npt.ArrayLike, za: int, zw: npt.ArrayLike) -> tuple[IntArray, ...]:
        left, right, points = (np.asarray(one) for one in (a, w, zw))
        if any(one.dtype.kind not in "iu" for one in (left, right, points)):
            raise InputError(f"core '{self.name}': operands are not integers; quantise first")
        fits = left.ndim == right.ndim == 2 and points.ndim == 1 and 0 not in (*left.shape, *right.shape)
        if not fits or left.shape[1] != right.shape[0] or len(points) != right.shape[1]:
            raise InputError(
                f"core '{self.name}': activations {left.shape}, weights {right.shape} and zero points {points.shape}, "
                f"bound is (M, K), (K, N) and (N,); reshape them"
            )
        if len(right) > self.length:
            raise InputError(
                f"core '{self.name}': reduction length is {len(right)}, bound is {self.length}; raise length or split"
            )
        for subject, codes, form in (
            ("activations", left, self.input_format), ("weights", right, self.weight_format),
            ("activation zero point", np.asarray(za), self.input_format), ("zero points", points, self.weight_format),
        ):  # fmt: skip
            if codes.min() < form.min or codes.max() > form.max:
                raise InputError(
                    f"core '{self.name}': {subject} span {codes.min()}..{codes.max()}, "
                    f"bound is {form.min}..{form.max}; quantise or choose another format"
                )
        return left.astype(np.int64), right.astype(np.int64), points.astype(np.int64)
