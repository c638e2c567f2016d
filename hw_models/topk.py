"""N:M online reduction: of every group of M streamed values keep the N largest magnitudes, with their indices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hw_models.products import IntArray, NMProduct
from workloads.errors import InputError
from workloads.formats import FloatFormat, Int


@dataclass(frozen=True, slots=True)
class TopKParams:
    """Parameters of one N:M reduction core (the sparse online reduction engine of SAT, arXiv 2309.13015).

    Each lane reads one value of its group per cycle into a list of N entries. A value goes in when its magnitude
    exceeds the least of the list; of equal magnitudes the lower index stays. Zeros are never kept.

    Parameters
    ----------
    n, m : int
        Kept values, and values of a group.
    value_format : Int or FloatFormat
        Of a value. Floating values are ranked by their bits without the sign, so not-a-number ranks above infinity.
    lanes : int
        Groups read side by side.

    Notes
    -----
    Time of an event is the clock edge that ends its cycle. A lane takes the M values of a group at the edges
    ``t .. t + M - 1`` and the result is handed over at ``t + M``, the edge at which the first value of the next group
    goes in: the latency from the first value is exactly M cycles, and a result follows every M cycles.
    """

    n: int
    m: int
    value_format: Int | FloatFormat
    lanes: int

    def __post_init__(self) -> None:
        if not 1 <= self.n <= self.m <= 16:
            raise InputError(f"top-k core: {self.n}:{self.m}, bound is 1 <= N <= M <= 16; choose a pattern in it")
        if not 1 <= self.lanes <= 256:
            raise InputError(f"top-k core: lanes is {self.lanes}, bound is 1..256; choose a count in it")
        if self.value_format.bits > 32:
            raise InputError(
                f"top-k core: values of {self.value_format.name} have {self.value_format.bits} bits, bound is 1..32; "
                f"choose a narrower format"
            )

    @property
    def name(self) -> str:
        """Name such as ``topk_2of4_int8``."""
        return f"topk_{self.n}of{self.m}_{self.value_format.name}"

    @property
    def slots(self) -> NMProduct:
        """Value of the N:M lane that takes the results as its weights; floating codes go as unsigned ones."""
        form = self.value_format if isinstance(self.value_format, Int) else Int(self.value_format.bits, signed=False)
        return NMProduct(self.n, self.m, form, form)

    @property
    def elements(self) -> int:
        """Value of the values that become one output beat."""
        return self.lanes * self.m

    @property
    def latency_cycles(self) -> int:
        """Value of the time from the handshake of a group's first value to that of its result, in cycles: M."""
        return self.m

    @property
    def alphabet(self) -> IntArray:
        """All codes of a value, ascending."""
        form = self.slots.weight_format
        return np.arange(form.min, form.max + 1, dtype=np.int64)

    def magnitudes(self, codes: IntArray) -> IntArray:
        """Return what values are ranked by.

        Parameters
        ----------
        codes : ndarray of int
            Integers, or the bits of floating values.

        Returns
        -------
        ndarray of int64, same shape
            Absolute values, or the bits without the sign, which order finite values as their magnitudes do.
        """
        values = np.asarray(codes, dtype=np.int64)
        form = self.slots.weight_format
        if values.size and (values.min() < form.min or values.max() > form.max):
            raise InputError(
                f"core '{self.name}': values span {values.min()}..{values.max()}, bound is {form.min}..{form.max}; "
                f"quantise or choose another format"
            )
        if isinstance(self.value_format, Int):
            return np.abs(values)
        return values & np.int64((1 << (self.value_format.bits - 1)) - 1)

    def mask(self, codes: IntArray) -> npt.NDArray[np.bool_]:
        """Return which values are kept.

        Parameters
        ----------
        codes : ndarray of int, shape (rows, length)
            Groups lie along the rows; the last one of a row may be short.

        Returns
        -------
        ndarray of bool, shape (rows, length)
            The N largest magnitudes of each group, of equal ones those of lower index; never a zero.
        """
        values = np.asarray(codes, dtype=np.int64)
        if values.ndim != 2 or 0 in values.shape:
            raise InputError(f"core '{self.name}': values {values.shape}, bound is (rows, length); reshape them")
        rows, length = values.shape
        ranked = np.pad(self.magnitudes(values), ((0, 0), (0, -length % self.m))).reshape(rows, -1, self.m)
        order = np.argsort(-ranked, axis=-1, kind="stable")
        kept = np.zeros(ranked.shape, dtype=bool)
        np.put_along_axis(kept, order[..., : self.n], True, axis=-1)
        return np.asarray((kept & (ranked != 0)).reshape(rows, -1)[:, :length])

    def golden(self, codes: IntArray) -> IntArray:
        """Return the values with all but the N largest magnitudes of each group set to zero.

        Parameters
        ----------
        codes : ndarray of int, shape (rows, length)
            As for `mask`.

        Returns
        -------
        ndarray of int64, shape (rows, length)
            Pruned values.

        Examples
        --------
        >>> TopKParams(2, 4, Int(8), lanes=1).golden(np.array([[3, -5, 5, 3, 0, 0, 0, -1]])).tolist()
        [[0, -5, 5, 0, 0, 0, 0, -1]]
        """
        return np.where(self.mask(codes), np.asarray(codes, dtype=np.int64), 0)

    def groups(self, length: int) -> int:
        """Return the output beats of a row of `length` values: each holds a group of every lane."""
        if length < 1:
            raise InputError(f"core '{self.name}': row length is {length}, bound is >= 1; leave the row out")
        return -(-length // self.elements)

    def cycles(self, lengths: Sequence[int]) -> int:
        """Return the time from the first value's handshake to the last result's, streams never stalling.

        `lengths` are those of the rows; the values decide nothing.

        Examples
        --------
        >>> TopKParams(2, 4, Int(8), lanes=1).cycles([8, 3])
        12
        """
        if not lengths:
            raise InputError(f"core '{self.name}': no rows, bound is >= 1; give one")
        return self.m * sum(self.groups(length) for length in lengths)
