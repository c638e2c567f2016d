"""N:M sparse systolic cores: the dense arrays of `hw_models.systolic` with groups of M operands per processing element.

Source: the N:M processing element of SAT (arXiv 2309.13015), here with one multiplier per kept weight, so that a group
costs one cycle and not N.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hw_models.products import NMProduct
from hw_models.systolic import FoldJob, IntArray, SystolicParams
from workloads.errors import InputError


@dataclass(frozen=True, slots=True)
class SystolicNMParams(SystolicParams):
    """Parameters of one N:M sparse systolic core; those of `SystolicParams` and the pattern.

    Of each group of `group` weights along the reduction at most `kept` are not zero; they travel and stay as `kept`
    slots of value and index. A PE takes the `group` activations of its group in one beat, selects `kept` of them and
    adds `kept` products to the sum, in one cycle.

    Parameters
    ----------
    kept, group : int
        N and M of the pattern, ``1 <= N <= M <= 16``.

    Notes
    -----
    WS: `rows` PEs of a column hold ``rows * group`` places of the reduction. OS: a beat brings `group` places of it.
    Timing is that of the dense core on a reduction counted in groups, ``ceil(K / group)``: the sequencer is the same
    hardware, and `job_for` is all that changes. A reduction that is no multiple of `group` ends in a short group: the
    missing places are zeros on both sides, and it may keep up to `kept` weights like any other. A group without
    weights is `kept` slots of value 0 and takes its cycle like any other.

    Examples
    --------
    >>> from workloads.formats import Int
    >>> core = SystolicNMParams("ws", 4, 4, Int(8), Int(8), Int(32), 64, kept=2, group=4)
    >>> core.name, core.job_for(m=10, k=32, n=4).row_folds, core.required_accumulator_bits(32)
    ('systolic_ws_nm2of4_int8', 2, 20)
    """

    kept: int
    group: int

    def __post_init__(self) -> None:
        if self.dataflow == "is":
            raise InputError("systolic core N:M: dataflow is 'is', bound is 'ws' or 'os'; choose one")
        if not 1 <= self.kept <= self.group <= 16:
            raise InputError(
                f"systolic core N:M: {self.kept} of {self.group} weights kept, bound is 1 <= N <= M <= 16; "
                f"choose a pattern in it"
            )
        SystolicParams.__post_init__(self)

    @property
    def pattern(self) -> NMProduct:
        """Value of the product of one PE: the pattern and the formats of its operands."""
        return NMProduct(self.kept, self.group, self.input_format, self.weight_format)

    @property
    def name(self) -> str:
        """Value of the core's name, such as ``systolic_ws_nm2of4_int8``."""
        return f"systolic_{self.dataflow}_{self.pattern.name}"

    @property
    def index_bits(self) -> int:
        """Value of the bits of an index, ``ceil(log2 M)``, at least one."""
        return self.pattern.index_bits

    def job_for(self, m: int, k: int, n: int) -> FoldJob:
        """Return the folds of a GEMM of ``m x k`` by ``k x n``: those of the dense core, ``ceil(k / M)`` for ``k``."""
        return SystolicParams.job_for(self, m, -(-k // self.group), n)

    def required_accumulator_bits(self, k: int) -> int:
        """Return the least width of the accumulator that never wraps on `k` places, of which the pattern fills some.

        Raises
        ------
        InputError
            If products can be negative and the accumulator is unsigned: no width is enough.
        """
        whole, rest = divmod(k, self.group)
        return SystolicParams.required_accumulator_bits(self, whole * self.kept + min(rest, self.kept))

    def golden(self, a: npt.ArrayLike, w: npt.ArrayLike) -> IntArray:
        """Return the core's result of ``a @ w``, bit for bit.

        Parameters
        ----------
        a : array_like of int, shape (M, K)
            Activations in `input_format`.
        w : array_like of int, shape (K, N)
            Dense weights in `weight_format`, zeros included; groups start at multiples of `group` along K.

        Returns
        -------
        ndarray of int64, shape (M, N)
            Sums modulo ``2**bits`` of `accumulator_format`.

        Raises
        ------
        InputError
            As the dense core, or if a group has more than `kept` weights that are not zero.
        """
        sums = SystolicParams.golden(self, a, w)
        self.pattern.weight_values(np.asarray(w).T)
        return sums
