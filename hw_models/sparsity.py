"""N:M structured sparsity of an array's weights: the pattern, and the bits that compressed weights take.

Of each group of M consecutive input channels under one filter tap at most N weights are not zero. A group is stored as
one word of N slots of value and index, so a layer of C channels has ``ceil(C / M)`` words per tap and output channel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from workloads.errors import InputError

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Sparsity:
    """Pattern of an N:M array.

    Parameters
    ----------
    kept, group : int
        N and M, ``1 <= N <= M <= 16``.

    Examples
    --------
    >>> pattern = Sparsity(2, 4)
    >>> pattern.word_bits(8), pattern.kept_of(7)
    (20, 4)
    """

    kept: int
    group: int

    def __post_init__(self) -> None:
        if not 1 <= self.kept <= self.group <= 16:
            raise InputError(
                f"sparsity: {self.kept} of {self.group} weights kept, bound is 1 <= n <= m <= 16; choose one in it"
            )

    def __str__(self) -> str:
        return f"{self.kept}:{self.group}"

    @property
    def index_bits(self) -> int:
        """Value of the bits of an index, ``ceil(log2 M)``, at least one."""
        return max(1, (self.group - 1).bit_length())

    def word_bits(self, weight_bits: int) -> int:
        """Return the bits of one group: N slots of a value of `weight_bits` and its index."""
        return self.kept * (weight_bits + self.index_bits)

    def kept_of(self, places: int) -> int:
        """Return how many of `places` weights in a row, from the start of a group, the pattern keeps at most."""
        return places // self.group * self.kept + min(places % self.group, self.kept)

    def prune(self, weights: IntArray) -> IntArray:
        """Return `weights` (K, C, ...) with the N of each group along C that are greatest in magnitude, the rest 0.

        Of equal ones the first stay.
        """
        made = np.zeros_like(weights)
        for start in range(0, weights.shape[1], self.group):
            part = weights[:, start : start + self.group]
            order = np.argsort(-np.abs(part), axis=1, kind="stable")[:, : self.kept]
            values = np.take_along_axis(part, order, axis=1)
            np.put_along_axis(made[:, start : start + self.group], order, values, axis=1)
        return made

    def slots(self, weights: IntArray) -> tuple[IntArray, IntArray]:
        """Return values and indices (K, ceil(C / M), N, ...) of `weights` (K, C, ...), in order of their index.

        Slots that are not needed hold value 0 and index 0.

        Raises
        ------
        InputError
            If a group has more than N weights that are not zero.
        """
        places = -(-weights.shape[1] // self.group) * self.group
        rest = [(0, 0), (0, places - weights.shape[1]), *[(0, 0)] * (weights.ndim - 2)]
        groups = np.pad(weights, rest).reshape(weights.shape[0], -1, self.group, *weights.shape[2:])
        used = groups != 0
        most = int(used.sum(axis=2).max(initial=0))
        if most > self.kept:
            raise InputError(
                f"weights: a group of {self.group} has {most} that are not zero, bound is {self.kept}; prune to {self} "
                f"first"
            )
        index = np.argsort(~used, axis=2, kind="stable")[:, :, : self.kept]
        values = np.take_along_axis(groups, index, axis=2)
        return values, np.where(values != 0, index, 0)
