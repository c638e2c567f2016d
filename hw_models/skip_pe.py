"""Zero skipping on both operands: a PE with compressed weights and inputs, and a dual-side outer-product core.

Both count from real masks; from densities alone they give the expectation for zeros that lie independently. The
difference between the two, and between PEs that must wait for one another, is what a share of zeros does not show.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
import numpy.typing as npt

from workloads.errors import InputError

Mask = npt.NDArray[np.bool_]


def _density(name: str, value: float) -> float:
    if not 0.0 <= value <= 1.0:
        raise InputError(f"density '{name}': {value} is outside 0..1; correct it")
    return value


@dataclass(frozen=True, slots=True)
class SkipPE:
    """PE after Eyeriss v2: for every non-zero input, one cycle per non-zero weight of its channel's column.

    Inputs and weights lie compressed by columns (channels) in memories of `input_words` and `weight_words` values; a
    column of up to `psum_words` kernels is worked on at a time. A non-zero input whose column holds no weight costs
    `empty_column_cycles`, because the column's bounds must be read to see that.
    """

    name: str
    input_words: int
    weight_words: int
    psum_words: int
    empty_column_cycles: int = 1

    def __post_init__(self) -> None:
        for key in ("input_words", "weight_words", "psum_words"):
            if getattr(self, key) < 1:
                raise InputError(f"PE '{self.name}': {key} is {getattr(self, key)}, bound is >= 1; correct it")
        if self.empty_column_cycles < 0:
            raise InputError(f"PE '{self.name}': empty_column_cycles is negative; correct it")

    def expected_cycles(self, macs: int, input_density: float, weight_density: float) -> float:
        """Return the expected cycles for zeros that lie independently, empty columns included.

        Every product of two non-zero values is a cycle. A column of k = `psum_words` weights is empty with probability
        (1 - d)^k, and then its inputs cost `empty_column_cycles` instead of nothing.
        """
        both = macs * _density("inputs", input_density) * _density("weights", weight_density)
        empty = (1.0 - weight_density) ** self.psum_words
        return both + self.empty_column_cycles * empty * macs / self.psum_words * input_density

    def cycles(self, inputs: Mask, weights: Mask) -> int:
        """Return the exact cycles of one PE.

        Parameters
        ----------
        inputs : ndarray of bool, shape (pixels, channels)
            Non-zero inputs.
        weights : ndarray of bool, shape (kernels, channels)
            Non-zero weights.
        """
        if inputs.ndim != 2 or weights.ndim != 2 or inputs.shape[1] != weights.shape[1]:
            raise InputError(
                f"PE '{self.name}': inputs {inputs.shape} and weights {weights.shape}, bound is (pixels, channels) and "
                f"(kernels, channels); reshape them"
            )
        live = inputs.sum(axis=0, dtype=np.int64)
        total = 0
        for first in range(0, weights.shape[0], self.psum_words):
            column = weights[first : first + self.psum_words].sum(axis=0, dtype=np.int64)
            total += int((live * np.where(column == 0, self.empty_column_cycles, column)).sum())
        return total

    def cluster_cycles(self, parts: Sequence[Sequence[tuple[Mask, Mask]]]) -> tuple[int, int]:
        """Return (cycles, least possible cycles) of PEs that wait for one another after every round.

        Parameters
        ----------
        parts : sequence of rounds, each a sequence of (inputs, weights), one per PE
            The slowest PE of a round sets its length; the least is the same work spread evenly.
        """
        taken = work = pes = 0
        for parallel in parts:
            each = [self.cycles(inputs, weights) for inputs, weights in parallel]
            taken += max(each, default=0)
            work += sum(each)
            pes = max(pes, len(each))
        return taken, -(-work // max(1, pes))


@dataclass(frozen=True, slots=True)
class DualSideCore:
    """Outer-product core that skips on both sides: a tile of `rows` x `cols` outputs in pieces of the array's size.

    For every reduction index the non-zero values of one column of A and one row of B are packed, and their outer
    product is cut into pieces of `piece_rows` x `piece_cols`; each piece takes one cycle.
    """

    rows: int
    cols: int
    piece_rows: int
    piece_cols: int

    def __post_init__(self) -> None:
        for key in ("rows", "cols", "piece_rows", "piece_cols"):
            if getattr(self, key) < 1:
                raise InputError(f"dual-side core: {key} is {getattr(self, key)}, bound is >= 1; correct it")

    def cycles(self, a: Mask, b: Mask) -> int:
        """Return the exact cycles of a tile: `a` has shape (rows, k), `b` has shape (k, cols)."""
        if a.shape != (self.rows, b.shape[0]) or b.shape[1] != self.cols:
            raise InputError(
                f"dual-side core: masks {a.shape} and {b.shape}, bound is ({self.rows}, k) and (k, {self.cols}); "
                f"cut the matrix into tiles"
            )
        high = -(-a.sum(axis=0, dtype=np.int64) // self.piece_rows)
        wide = -(-b.sum(axis=1, dtype=np.int64) // self.piece_cols)
        return int((high * wide).sum())

    def expected_cycles(self, depth: int, a_density: float, b_density: float) -> float:
        """Return the expected cycles of a tile of `depth` reduction steps, zeros independent."""
        high = _expected_pieces(self.rows, self.piece_rows, _density("a", a_density))
        wide = _expected_pieces(self.cols, self.piece_cols, _density("b", b_density))
        return depth * high * wide


def _expected_pieces(values: int, piece: int, density: float) -> float:
    """Return the expectation of ceil(X / piece), X binomial."""
    return sum(
        comb(values, count) * density**count * (1.0 - density) ** (values - count) * -(-count // piece)
        for count in range(values + 1)
    )
