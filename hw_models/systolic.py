"""Systolic array cores, weight-, output- and input-stationary: one parameter object for values, cycles and RTL.

The SystemVerilog in ``rtl/systolic`` is generated from the same `SystolicParams`; ``tests/cosim`` holds the simulator
to `SystolicParams.golden` bit for bit and to `SystolicParams.cycles` cycle for cycle (docs/architecture.md §3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from hw_models.products import signed_bits
from workloads.errors import InputError
from workloads.formats import Int

IntArray = npt.NDArray[np.int64]


def derived_accumulator(input_format: Int, weight_format: Int, k: int) -> Int:
    """Return the least format whose sums of `k` products never wrap: unsigned where no product is negative.

    A sum of `k` products lies between `k` times the least and `k` times the greatest product, and both ends are
    reached; a product is bilinear, so its extremes are among the four corners of the operand ranges.

    Raises
    ------
    InputError
        If `k` is below 1, or the format is wider than the accumulators of `SystolicParams`.

    Examples
    --------
    >>> str(derived_accumulator(Int(8), Int(8), 512)), str(derived_accumulator(Int(8, False), Int(4, False), 1))
    ('int25', 'uint12')
    """
    if k < 1:
        raise InputError(f"accumulator: reduction length k is {k}, bound is >= 1; give a positive integer")
    least, greatest = _sum_range(input_format, weight_format, k)
    bits = signed_bits(least, greatest) if least < 0 else max(greatest.bit_length(), 1)
    bound = 64 if least < 0 else 63
    if bits > bound:
        raise InputError(
            f"accumulator: sums of {k} products of {input_format} and {weight_format} need {bits} bits, bound is "
            f"{bound}; split the reduction or narrow the operands"
        )
    return Int(bits, signed=least < 0)


def _sum_range(input_format: Int, weight_format: Int, k: int) -> tuple[int, int]:
    """Return the least and the greatest sum of `k` products."""
    corners = [x * y for x in (input_format.min, input_format.max) for y in (weight_format.min, weight_format.max)]
    return k * min(corners), k * max(corners)


@dataclass(frozen=True, slots=True)
class FoldJob:
    """What one compute command asks of the array: a grid of folds of one length.

    Parameters
    ----------
    stream : int
        WS: activation vectors per fold (M). OS: operand pairs per fold (K). IS: weight vectors per fold (N).
    row_folds : int
        WS and IS: ``ceil(K / rows)``. OS: ``ceil(M / rows)``.
    col_folds : int
        WS and OS: ``ceil(N / cols)``. IS: ``ceil(M / cols)``.
    """

    stream: int
    row_folds: int
    col_folds: int

    def __post_init__(self) -> None:
        for key, value in (("stream", self.stream), ("row_folds", self.row_folds), ("col_folds", self.col_folds)):
            if value < 1:
                raise InputError(f"fold job: {key} is {value}, bound is >= 1; leave out empty jobs")

    @property
    def folds(self) -> int:
        """Value of the number of folds."""
        return self.row_folds * self.col_folds


@dataclass(frozen=True, slots=True)
class SystolicParams:
    """Parameters of one systolic core.

    Parameters
    ----------
    dataflow : {"ws", "os", "is"}
        ``ws``: weights stay, rows hold the reduction, columns the output channels. ``os``: sums stay, rows hold output
        rows, columns output channels. ``is``: activations stay, rows hold the reduction, columns the output rows.
    rows, cols : int
        Processing elements per column and per row.
    input_format, weight_format : Int
        Operands.
    accumulator_format : Int
        Partial sums; they wrap modulo ``2**bits``.
    accumulator_depth : int
        WS and IS: result vectors of `cols` words that the core's accumulator memory holds while the row folds of a
        job add up. OS cores keep their sums in the array; the depth then describes the memory behind the core only.

    Notes
    -----
    Time of an event is the clock edge that ends its cycle. A job *issues* at the edge of its ``cfg`` handshake and is
    *done* at the edge that hands over its last result.

    The IS core is the WS hardware with the roles of the operands exchanged: the activations of a fold, ``A[m, k]`` for
    `cols` rows `m` and `rows` places `k`, load behind a shadow while weight vectors ``W[:, n]`` stream. What is said of
    WS below holds for it with M and N exchanged. Results come out transposed: per column fold, one beat per weight
    column `n` in order, word `c` for output row ``fold * cols + c``. `golden` is in the usual order all the same.
    """

    dataflow: Literal["ws", "os", "is"]
    rows: int
    cols: int
    input_format: Int
    weight_format: Int
    accumulator_format: Int
    accumulator_depth: int

    #: Edge that takes an operand (WS: and its weight) into a PE.
    OPERAND_REGISTER_CYCLES: ClassVar[int] = 1
    #: Edge that takes the multiply-add of a PE into its sum register.
    MAC_REGISTER_CYCLES: ClassVar[int] = 1
    #: WS: synchronous read of the partial sum of the row folds before.
    ACCUMULATOR_READ_CYCLES: ClassVar[int] = 1
    #: WS: add, then write back or hand to the output.
    ACCUMULATOR_ADD_CYCLES: ClassVar[int] = 1
    #: Width of each field of the job interface, and so of every job counter.
    COUNT_BITS: ClassVar[int] = 24

    #: Largest array side and accumulator memory that are emitted.
    MAX_SIDE: ClassVar[int] = 1024
    MAX_DEPTH: ClassVar[int] = 1 << 24

    def __post_init__(self) -> None:
        if self.dataflow not in ("ws", "os", "is"):
            raise InputError(f"systolic core: dataflow is '{self.dataflow}', bound is 'ws', 'os' or 'is'; choose one")
        for key, value in (("rows", self.rows), ("cols", self.cols), ("accumulator_depth", self.accumulator_depth)):
            bound = self.MAX_DEPTH if key == "accumulator_depth" else self.MAX_SIDE
            if not 1 <= value <= bound:
                raise InputError(f"systolic core: {key} is {value}, bound is 1..{bound}; choose a size in it")
        accumulator = self.accumulator_format
        if accumulator.bits == 64 and not accumulator.signed:
            raise InputError("systolic core: accumulator is uint64, bound is uint63 or int64; narrow it")
        product_bits = self.required_accumulator_bits(1)
        if accumulator.bits < product_bits:
            raise InputError(
                f"systolic core: accumulator {accumulator} has {accumulator.bits} bits, one product of "
                f"{self.input_format} and {self.weight_format} needs {product_bits}; widen the accumulator"
            )

    @property
    def name(self) -> str:
        """Value of the core's name, such as ``systolic_ws_int8``."""
        operands = self.input_format.name
        if self.weight_format != self.input_format:
            operands += f"x{self.weight_format.name}"
        return f"systolic_{self.dataflow}_{operands}"

    @property
    def operand_stays(self) -> bool:
        """Value telling whether the PEs hold an operand behind a shadow, WS and IS, and not their sums."""
        return self.dataflow != "os"

    @property
    def load_cycles(self) -> int:
        """Value of the first operand load of a job, issue to first vector, in cycles: WS and IS `rows`, OS 0."""
        return self.rows if self.operand_stays else 0

    @property
    def drain_latency_cycles(self) -> int:
        """Value of the time from the last operand's entry to the last result's exit, in cycles.

        Both: the wavefront crosses ``rows - 1`` rows and ``cols - 1`` columns, then the operand and the MAC register.
        WS adds the two accumulator stages; OS shifts the other ``rows - 1`` result rows out behind the first.
        """
        wavefront = self.rows - 1 + self.cols - 1 + self.OPERAND_REGISTER_CYCLES + self.MAC_REGISTER_CYCLES
        if self.operand_stays:
            return wavefront + self.ACCUMULATOR_READ_CYCLES + self.ACCUMULATOR_ADD_CYCLES
        return wavefront + self.rows - 1

    def job_for(self, m: int, k: int, n: int) -> FoldJob:
        """Return the folds of a GEMM of ``m x k`` by ``k x n``."""
        if self.dataflow == "is":
            return FoldJob(stream=n, row_folds=-(-k // self.rows), col_folds=-(-m // self.cols))
        if self.dataflow == "ws":
            return FoldJob(stream=m, row_folds=-(-k // self.rows), col_folds=-(-n // self.cols))
        return FoldJob(stream=k, row_folds=-(-m // self.rows), col_folds=-(-n // self.cols))

    def check_job(self, job: FoldJob) -> None:
        """Raise `InputError` if the core's counters or its accumulator memory are too small for `job`."""
        bound = (1 << self.COUNT_BITS) - 1
        for key, value in (("stream", job.stream), ("row_folds", job.row_folds), ("col_folds", job.col_folds)):
            if value > bound:
                raise InputError(f"core '{self.name}': {key} is {value}, bound is {bound}; split the job")
        if self.operand_stays and job.row_folds > 1 and job.stream > self.accumulator_depth:
            raise InputError(
                f"core '{self.name}': a job of {job.row_folds} row folds streams {job.stream} vectors, its "
                f"accumulator_depth is {self.accumulator_depth}; split the job along "
                f"{'N' if self.dataflow == 'is' else 'M'} or raise accumulator_depth"
            )

    def interval_cycles(self, job: FoldJob) -> int:
        """Return the start-to-start interval of consecutive folds of a job, in cycles.

        WS: the next fold's `rows` weight rows load behind the shadow while this fold streams. OS: `rows` result rows
        leave while the next fold streams.
        """
        return max(job.stream, self.rows)

    def stream_end_cycle(self, job: FoldJob, issue_cycle: int, previous_end_cycle: int | None = None) -> int:
        """Return the time the last operand of `job` has entered, streams never stalling.

        Parameters
        ----------
        issue_cycle : int
            Time of issue, no earlier than the start of the last fold of the job before (``end - stream``).
        previous_end_cycle : int, optional
            Stream end of the job before on this core.

        Notes
        -----
        WS: the first vector waits for the first weight load and for the end of the previous stream. OS: the last pair
        of a fold enters `rows` cycles or more after the last pair of the fold before, because the result rows share
        one drain chain; this also holds between jobs.
        """
        if self.operand_stays:
            start = issue_cycle + self.load_cycles
            first_end = (start if previous_end_cycle is None else max(start, previous_end_cycle)) + job.stream
        else:
            first_end = issue_cycle + job.stream
            if previous_end_cycle is not None:
                first_end = max(first_end, previous_end_cycle + self.interval_cycles(job))
        return first_end + (job.folds - 1) * self.interval_cycles(job)

    def cycles(self, job: FoldJob, operands: tuple[IntArray, IntArray] | None = None) -> int:
        """Return the time from the issue of `job` on an idle core to its last result, streams never stalling.

        Parameters
        ----------
        operands : tuple of ndarray, optional
            Activations (M, K) and weights (K, N). The core skips no zeros, so values change nothing; shapes must give
            `job`.

        Raises
        ------
        InputError
            If `operands` are those of another job.

        Examples
        --------
        >>> core = SystolicParams("ws", 4, 4, Int(8), Int(8), Int(32), 64)
        >>> core.cycles(core.job_for(m=10, k=8, n=4)) == 4 + 10 + 10 + core.drain_latency_cycles
        True
        """
        if operands is not None:
            a, w = operands
            if self.job_for(a.shape[0], a.shape[1], w.shape[1]) != job:
                raise InputError(
                    f"core '{self.name}': operands {a.shape} x {w.shape} are not those of {job}; pass its own"
                )
        return self.stream_end_cycle(job, 0) + self.drain_latency_cycles

    def golden(self, a: npt.ArrayLike, w: npt.ArrayLike) -> IntArray:
        """Return the core's result of ``a @ w``, bit for bit.

        Parameters
        ----------
        a : array_like of int, shape (M, K)
            Activations in `input_format`.
        w : array_like of int, shape (K, N)
            Weights in `weight_format`.

        Returns
        -------
        ndarray of int64, shape (M, N)
            Sums modulo ``2**bits`` of `accumulator_format`: addition modulo 2**64 (numpy) and modulo the narrower
            width (hardware, at any point of the sum) agree in the low bits.

        Raises
        ------
        InputError
            On shapes that do not multiply or values outside their format.
        """
        left = self._codes("activations", a, self.input_format)
        right = self._codes("weights", w, self.weight_format)
        if left.shape[1] != right.shape[0]:
            raise InputError(
                f"core '{self.name}': activations {left.shape} and weights {right.shape} do not multiply; "
                f"make the inner sizes equal"
            )
        return self.accumulator_format.wrap(left @ right)

    def required_accumulator_bits(self, k: int) -> int:
        """Return the least width of the accumulator that never wraps on a reduction of length `k`.

        `derived_accumulator` chooses the signedness too, and says why this is enough.

        Raises
        ------
        InputError
            If products can be negative and the accumulator is unsigned: no width is enough.
        """
        if k < 1:
            raise InputError(f"core '{self.name}': reduction length k is {k}, bound is >= 1; give a positive integer")
        least, greatest = _sum_range(self.input_format, self.weight_format, k)
        if self.accumulator_format.signed:
            return signed_bits(least, greatest)
        if least < 0:
            raise InputError(
                f"systolic core: accumulator {self.accumulator_format} is unsigned, products of {self.input_format} "
                f"and {self.weight_format} reach {least // k}; use a signed accumulator"
            )
        return max(greatest.bit_length(), 1)

    def _codes(self, subject: str, values: npt.ArrayLike, form: Int) -> IntArray:
        """Return `values` as a checked matrix of codes of `form`."""
        codes = np.asarray(values)
        if codes.ndim != 2 or codes.dtype.kind not in "iu" or 0 in codes.shape:
            raise InputError(
                f"core '{self.name}': {subject} have shape {codes.shape} and dtype {codes.dtype}, "
                f"a non-empty integer matrix is needed; reshape or quantise"
            )
        wide = codes.astype(np.int64)
        if wide.min() < form.min or wide.max() > form.max:
            raise InputError(
                f"core '{self.name}': {subject} span {wide.min()}..{wide.max()}, {form} holds {form.min}..{form.max}; "
                f"quantise or choose a wider format"
            )
        return wide
