"""Dot-product cores: lanes of one kind of product, an adder tree and an accumulator; two streams in, sums out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hw_models.products import IntArray, Product, signed_bits
from workloads.errors import InputError
from workloads.formats import Int


@dataclass(frozen=True, slots=True)
class DotParams:
    """Parameters of one dot-product core.

    Parameters
    ----------
    product : Product
        What a lane multiplies.
    lanes : int
        Lanes; each takes ``product.elements`` pairs per beat.
    accumulator_bits : int
        Width of a sum, signed; it wraps modulo ``2**bits``.

    Notes
    -----
    Time of an event is the clock edge that ends its cycle. A beat is one activation beat with its weight beat. Beats
    enter one per cycle; a sum is handed over `latency_cycles` after the last beat of its reduction.
    """

    product: Product
    lanes: int
    accumulator_bits: int = 32

    #: Edge that takes a pair of beats into the operand register is that of its handshake; then one edge each for
    #: the products, the accumulator and the handshake of the sum.
    FIXED_CYCLES: ClassVar[int] = 3

    def __post_init__(self) -> None:
        if not 1 <= self.lanes <= 256:
            raise InputError(f"dot core: lanes is {self.lanes}, bound is 1..256; choose a count in it")
        if not 1 <= self.accumulator_bits <= 63:
            raise InputError(
                f"dot core: accumulator_bits is {self.accumulator_bits}, bound is 1..63; choose a width in it"
            )
        needed = self.required_accumulator_bits(self.elements)
        if self.accumulator_bits < needed:
            raise InputError(
                f"dot core: accumulator has {self.accumulator_bits} bits, one beat of {self.lanes} lanes of "
                f"{self.product.name} needs {needed}; widen the accumulator"
            )

    @property
    def name(self) -> str:
        """Value of the core's name, such as ``dot_int8``."""
        return f"dot_{self.product.name}"

    @property
    def elements(self) -> int:
        """Value of the pairs that a beat carries."""
        return self.lanes * self.product.elements

    @property
    def tree_levels(self) -> int:
        """Value of the registered levels of the adder tree."""
        return (self.lanes - 1).bit_length()

    @property
    def latency_cycles(self) -> int:
        """Value of the time from the handshake of a reduction's last beat to that of its sum, in cycles."""
        return self.FIXED_CYCLES + self.tree_levels

    def required_accumulator_bits(self, length: int) -> int:
        """Return the least width that never wraps on a reduction of `length` pairs: every product at its extreme.

        For N:M kinds only N of every M pairs can be other than zero.
        """
        if length < 1:
            raise InputError(
                f"core '{self.name}': reduction length is {length}, bound is >= 1; give a positive integer"
            )
        least, greatest = self.product.extremes
        whole, rest = divmod(length, self.product.elements)
        terms = whole * self.product.terms + min(rest, self.product.terms)
        return signed_bits(terms * min(least, 0), terms * max(greatest, 0))

    def beats(self, lengths: Sequence[int]) -> int:
        """Return the beats of reductions of `lengths` pairs."""
        return sum(-(-length // self.elements) for length in lengths)

    def cycles(self, lengths: Sequence[int], operands: tuple[IntArray, IntArray] | None = None) -> int:
        """Return the time from the first beat's handshake to the last sum's, streams never stalling.

        `operands` change nothing: the core skips no zeros.

        Examples
        --------
        >>> from hw_models.products import IntProduct
        >>> core = DotParams(IntProduct(Int(8), Int(8)), lanes=4)
        >>> core.cycles([16]) == 3 + core.latency_cycles
        True
        """
        if not lengths or min(lengths) < 1:
            raise InputError(
                f"core '{self.name}': reduction lengths are {list(lengths)}, bound is >= 1; leave out others"
            )
        return self.beats(lengths) - 1 + self.latency_cycles

    def golden(self, a: IntArray, w: IntArray) -> IntArray:
        """Return the sums of reductions, bit for bit.

        Parameters
        ----------
        a, w : ndarray of int, shape (reductions, length)
            Activation and weight codes of the product's kind.

        Returns
        -------
        ndarray of int64, shape (reductions,)
            Sums modulo ``2**accumulator_bits``, signed.
        """
        left, right = np.asarray(a, dtype=np.int64), np.asarray(w, dtype=np.int64)
        if left.ndim != 2 or left.shape != right.shape or 0 in left.shape:
            raise InputError(
                f"core '{self.name}': activations {left.shape} and weights {right.shape}, bound is two equal shapes of "
                f"(reductions, length); reshape them"
            )
        return Int(self.accumulator_bits).wrap(self.product.pair_values(left, right).sum(axis=1))
