"""FP16 multiply-add core: rounded products, a pipelined adder, and interleaved sums that hide its latency."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from hw_models.products import IntArray
from workloads.errors import InputError
from workloads.formats import Float16, FloatFormat

_FLOATS: dict[str, tuple[type[np.floating], type[np.unsignedinteger], int]] = {
    "float16": (np.float16, np.uint16, 0x7E00),
    "float32": (np.float32, np.uint32, 0x7FC00000),
}
"""Per format: numpy type, the type of its bits, and the bits of the canonical quiet not-a-number."""


def float_values(codes: IntArray, form: FloatFormat) -> npt.NDArray[np.floating]:
    """Return the floating values whose bits are `codes`, non-negative integers of `form`'s width."""
    bits = np.asarray(codes, dtype=np.int64)
    if bits.size and (bits.min() < 0 or bits.max() >> form.bits):
        raise InputError(
            f"{form.name} codes: they span {bits.min()}..{bits.max()}, bound is 0..2**{form.bits} - 1; "
            f"give the bits of the values"
        )
    kind, unsigned, _ = _FLOATS[form.name]
    return bits.astype(unsigned).view(kind)


def float_codes(values: npt.NDArray[np.floating], form: FloatFormat) -> IntArray:
    """Return the bits of floating values; every not-a-number becomes the canonical quiet one.

    Examples
    --------
    >>> [hex(code) for code in float_codes(np.array([1.0, -0.0, -np.nan], dtype=np.float16), Float16())]
    ['0x3c00', '0x8000', '0x7e00']
    """
    kind, unsigned, quiet = _FLOATS[form.name]
    bits = np.ascontiguousarray(values, dtype=kind).view(unsigned).astype(np.int64)
    return np.where(np.isnan(values), np.int64(quiet), bits)


@dataclass(frozen=True, slots=True)
class FP16Params:
    """Parameters of one FP16 multiply-add core with interleaved accumulation (arXiv 2309.13015).

    A product of two FP16 operands is rounded to the accumulator's format (to float32 it is exact), then added to its
    sum and rounded again; everything to nearest even, with subnormals, infinities and signed zeros.

    Parameters
    ----------
    interleave : int
        Sums that share the adder in rotation.
    adder_latency_cycles : int
        Time from a sum at the adder's input to the new sum there.
    accumulator_format : FloatFormat
        Of products and sums, ``float16`` or ``float32``.
    multiplier_latency_cycles : int
        Time from a pair at the multiplier's input to its product at the adder's.

    Notes
    -----
    Pairs come in rounds: pair k of the outputs 0, 1 .. interleave-1, then pair k+1 of them. An output's sum starts at
    +0, so K pairs are K additions; its place is free for the next output when the last of them has left the adder.

    The adder is busy from the cycle in which the first product stands at its input to the cycle at the end of which
    the last sum leaves it, both included. A pair is multiplied from the cycle after its handshake on; a sum is handed
    over at the end of the cycle after it has left the adder. Hence time from the first handshake to the last is
    ``multiplier_latency_cycles + adder busy cycles + OUTPUT_CYCLES``.
    """

    interleave: int
    adder_latency_cycles: int
    accumulator_format: FloatFormat = Float16()  # noqa: RUF009 -- frozen
    multiplier_latency_cycles: int = 1

    #: Time in which a finished sum stands at the output until its handshake.
    OUTPUT_CYCLES: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if self.accumulator_format.name not in _FLOATS:
            raise InputError(
                f"fp16 core: accumulator_format is {self.accumulator_format.name}, bound is {' or '.join(_FLOATS)}; "
                f"choose one of them"
            )
        for key, value, most in (
            ("interleave", self.interleave, 64),
            ("adder_latency_cycles", self.adder_latency_cycles, 16),
            ("multiplier_latency_cycles", self.multiplier_latency_cycles, 16),
        ):
            if not 1 <= value <= most:
                raise InputError(f"fp16 core: {key} is {value}, bound is 1..{most}; choose a count in it")

    @property
    def name(self) -> str:
        """Name such as ``fp16_mac_float32``, after the accumulator."""
        return f"fp16_mac_{self.accumulator_format.name}"

    def rounds(self, outputs: int, length: int) -> int:
        """Return how often the rotation goes round for `outputs` sums of `length` pairs.

        Raises
        ------
        InputError
            If the outputs do not fill the rotation.
        """
        if length < 1 or outputs < 1 or outputs % self.interleave:
            raise InputError(
                f"core '{self.name}': {outputs} outputs of {length} pairs, bound is a positive multiple of interleave "
                f"({self.interleave}) and >= 1 pair; add outputs of zeros"
            )
        return outputs // self.interleave * length

    def adder_busy_cycles(self, outputs: int, length: int) -> int:
        """Return the time from the first product at the adder to the last sum out of it, streams never stalling.

        Examples
        --------
        One output at a time, ``La * K`` each; La outputs in rotation, ``La * K + La - 1`` together:

        >>> FP16Params(1, 5).adder_busy_cycles(5, 8), FP16Params(5, 5).adder_busy_cycles(5, 8)
        (200, 44)
        """
        latency = self.adder_latency_cycles
        return (self.rounds(outputs, length) - 1) * max(self.interleave, latency) + self.interleave - 1 + latency

    def stall_cycles(self, outputs: int, length: int) -> int:
        """Return the cycles in which a product waits for its sum, streams never stalling; 0 if interleave >= La."""
        return (self.rounds(outputs, length) - 1) * max(0, self.adder_latency_cycles - self.interleave)

    def cycles(self, outputs: int, length: int) -> int:
        """Return the time from the first pair's handshake to the last sum's, streams never stalling.

        Examples
        --------
        >>> FP16Params(4, 4).cycles(4, 10) == 1 + (4 * 10 + 4 - 1) + 1
        True
        """
        return self.multiplier_latency_cycles + self.adder_busy_cycles(outputs, length) + self.OUTPUT_CYCLES

    def golden(self, a: IntArray, w: IntArray) -> IntArray:
        """Return the sums of products, each addition and product rounded as numpy rounds it, in order of the pairs.

        Parameters
        ----------
        a, w : ndarray of int, shape (outputs, length)
            Bits of FP16 operands.

        Returns
        -------
        ndarray of int64, shape (outputs,)
            Bits of the sums, not-a-number canonical.
        """
        left, right = float_values(a, Float16()), float_values(w, Float16())
        if left.ndim != 2 or left.shape != right.shape or 0 in left.shape:
            raise InputError(
                f"core '{self.name}': activations {left.shape} and weights {right.shape}, bound is two equal shapes of "
                f"(outputs, length); reshape them"
            )
        kind = _FLOATS[self.accumulator_format.name][0]
        total = np.zeros(left.shape[0], dtype=kind)
        with np.errstate(all="ignore"):
            products = left.astype(kind) * right.astype(kind)
            for k in range(left.shape[1]):
                total = total + products[:, k]
        return float_codes(total, self.accumulator_format)
