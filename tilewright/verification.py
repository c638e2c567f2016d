"""``verify``: generated RTL against the golden model (values) and the event model (cycles), both exactly.

Three kinds of run per core:

* ``alone``: jobs of random shapes and values, each on an idle core;
* ``back to back``: the same jobs offered as early as the core takes them;
* ``layer``: a real convolution (LeNet's second), mapped and simulated on a machine with this array; every compute
  command becomes a job, offered at the cycle at which the event model issued it, memory stalls included. The jobs'
  results add up to the layer's output.

Predicted cycles are the event model's: `sim.array_queue.simulate_jobs` and the spans of a simulated program.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hw_models.layer_engine import EngineParams
from hw_models.sparsity import Sparsity
from hw_models.systolic import FoldJob, IntArray, SystolicParams
from hw_models.systolic_nm import SystolicNMParams
from tilewright.cores import core_params, list_cores
from workloads.errors import InputError, MismatchError

if TYPE_CHECKING:
    from mappers.mapping import Mapping
    from mappers.plan import Plan
    from rtl.run import JobData, ScenarioRun
    from workloads.mac_layers import MacLayer

MAX_SIDE = 32
WORKERS = 2
"""Cores that are verified side by side."""


@dataclass(frozen=True, slots=True)
class VerifyRow:
    """One comparison: `vectors` result rows, how many differ, predicted and measured cycles."""

    core: str
    params: str
    run: str
    vectors: int
    value_errors: int
    predicted_cycles: int | None
    rtl_cycles: int | None

    @property
    def cycle_difference(self) -> int | None:
        """Value of measured minus predicted cycles; None for a run that is held to its values alone."""
        if self.rtl_cycles is None or self.predicted_cycles is None:
            return None
        return self.rtl_cycles - self.predicted_cycles


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """All comparisons of a verification."""

    rows: tuple[VerifyRow, ...]

    @property
    def ok(self) -> bool:
        """Value telling whether everything agrees."""
        return all(row.value_errors == 0 and not row.cycle_difference for row in self.rows)

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain data."""
        rows = [asdict(row) | {"cycle_difference": row.cycle_difference} for row in self.rows]
        return {"schema": "tilewright.verify/1", "ok": self.ok, "cores": rows}


def verify_core(
    name: str,
    rows: int | None = None,
    cols: int | None = None,
    seed: int = 0,
    simulator: str = "icarus",
    jobs: int = 12,
    repro: Path | None = None,
) -> VerifyReport:
    """Verify core `name`; a systolic array has `rows` x `cols` PEs, 4 x 4 unless told.

    Parameters
    ----------
    jobs : int
        Random jobs (of an array, beside the layer) or works.
    repro : Path, optional
        Folder for the smallest work that a stream core gets wrong (`verify_streams.verify_stream`).

    Raises
    ------
    InputError
        If the core or the simulator is not available.
    """
    return verify_core_of(core_params(name, rows, cols), seed, simulator, jobs, repro)


def verify_core_of(
    params: object, seed: int = 0, simulator: str = "icarus", jobs: int = 12, repro: Path | None = None
) -> VerifyReport:
    """Verify the core of `params`; see `verify_core`."""
    if isinstance(params, SystolicParams):
        return verify_params(params, seed, simulator, jobs, repro)
    if isinstance(params, EngineParams):
        from tilewright.verify_engine import verify_engine

        return verify_engine(params, seed, simulator, jobs, repro)
    from tilewright.verify_streams import verify_stream

    return verify_stream(params, seed, simulator, jobs, repro)


def verify_all(
    seed: int = 0,
    simulator: str = "icarus",
    jobs: int = 12,
    repro: Path | None = None,
    names: Sequence[str] = (),
    workers: int = WORKERS,
) -> Iterator[VerifyReport]:
    """Yield the report of every core of the list, or of `names`, in its order; `workers` cores at a time."""
    chosen = names or [row.name for row in list_cores()]
    verify = partial(verify_core, seed=seed, simulator=simulator, jobs=jobs, repro=repro)
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        yield from pool.map(verify, chosen)


def verify_params(
    params: SystolicParams, seed: int = 0, simulator: str = "icarus", jobs: int = 12, repro: Path | None = None
) -> VerifyReport:
    """Verify one core; see `verify_core`."""
    for key, value in (("rows", params.rows), ("cols", params.cols)):
        if not 1 <= value <= MAX_SIDE:
            raise InputError(f"verify: {key} is {value}, bound is 1..{MAX_SIDE}; choose a size in it")
    drawn = _random_jobs(params, seed, jobs)
    try:
        report = _compare(params, drawn, seed, simulator)
    except MismatchError as error:
        left = _leave(params, drawn, repro)
        raise MismatchError(f"{error}{f'; smallest case found: {left}' if left else ''}") from None
    if not report.ok:
        _leave(params, drawn, repro)
    return report


def _leave(params: SystolicParams, jobs: Sequence[JobData], repro: Path | None) -> Path | None:
    """Shrink the first of `jobs` that goes wrong alone and write its folder; return it."""
    from rtl.emit import emit
    from rtl.shrink_systolic import shrink_job, write_job_repro

    sources = emit(params)
    failed = None if repro is None else shrink_job(params, jobs, sources)
    if failed is None or repro is None:
        return None
    write_job_repro(repro / f"mismatch_{params.name}", params, failed, sources)
    return repro / f"mismatch_{params.name}"


def _compare(params: SystolicParams, drawn: tuple[JobData, ...], seed: int, simulator: str) -> VerifyReport:
    """Run the jobs alone and back to back, and the layer if there is one; compare."""
    name, rows, cols = params.name, params.rows, params.cols
    layer = layer_replay(params, seed)
    from rtl.run import Scenario, run_scenarios

    replay = Scenario(layer.jobs, back_to_back=True, earliest_issue_cycles=layer.offered)
    scenarios = [Scenario(drawn), Scenario(drawn, back_to_back=True), replay]
    alone, chained, replayed = run_scenarios(params, scenarios, simulator)
    label = f"{rows}x{cols}"
    folds = [_fold(params, job) for job in drawn]
    from sim.array_queue import simulate_jobs

    together = simulate_jobs(params, folds)
    single = sum(done - issue for job in folds for issue, done in simulate_jobs(params, [job]))
    report = [
        VerifyRow(
            name, label, "alone", _vectors(drawn), _wrong(params, drawn, alone), single,
            sum(run.cycles_issue_to_last for run in alone.jobs),
        ),
        VerifyRow(
            name, label, "back to back", _vectors(drawn), _wrong(params, drawn, chained),
            together[-1][1] - together[0][0], chained.total_cycles,
        ),
    ]  # fmt: skip
    report.append(
        VerifyRow(
            name, label, "layer", _vectors(layer.jobs), layer.wrong(replayed), layer.predicted_cycles,
            replayed.total_cycles,
        )
    )  # fmt: skip
    return VerifyReport(tuple(report))


def _random_jobs(params: SystolicParams, seed: int, count: int) -> tuple[JobData, ...]:
    """Return jobs of random shape: ones, ragged and exact tiles, corner values."""
    from rtl.run import JobData
    from rtl.stimulus import prune

    draw = np.random.default_rng(seed)
    i, w = params.input_format, params.weight_format
    group = params.group if isinstance(params, SystolicNMParams) else 1
    jobs = []
    for index in range(count):
        m = 1 if index == 0 else int(draw.integers(1, 4 * params.rows + 2))
        k = 1 if index == 1 else int(draw.integers(1, 4 * params.rows * group + 2))
        n = 1 if index == 2 else int(draw.integers(1, 3 * params.cols + 2))
        a = draw.integers(i.min, i.max, (m, k), dtype=np.int64, endpoint=True)
        b = draw.integers(w.min, w.max, (k, n), dtype=np.int64, endpoint=True)
        if index == 3:
            a, b = np.full_like(a, i.min), np.full_like(b, w.min)
        if isinstance(params, SystolicNMParams):
            prune(b.T, params.pattern, draw)
        jobs.append(JobData(a, b))
    return tuple(jobs)


def _fold(params: SystolicParams, job: JobData) -> FoldJob:
    return params.job_for(job.a.shape[0], job.a.shape[1], job.w.shape[1])


def _vectors(jobs: Sequence[JobData]) -> int:
    return sum(job.a.shape[0] for job in jobs)


def _wrong(params: SystolicParams, jobs: Sequence[JobData], run: ScenarioRun) -> int:
    """Return how many result rows differ from the golden model."""
    return sum(
        int((got.outputs != params.golden(job.a, job.w)).any(axis=1).sum())
        for job, got in zip(jobs, run.jobs, strict=True)
    )


LAYER_PIXELS = 100
"""Output pixels of the replayed layer: no job streams more vectors."""
SUM_BYTES = 4


def layer_replay(params: SystolicParams, seed: int) -> LayerReplay:
    """Return LeNet's second convolution, mapped onto a machine with this array, as jobs for its core."""
    return LayerReplay(params, seed)


class LayerReplay:
    """LeNet's second convolution on this array: jobs, when they are offered, and what must come out."""

    def __init__(self, params: SystolicParams, seed: int) -> None:
        from hw_models.description import load_accelerator
        from mappers.plan import make_plan
        from rtl.run import JobData
        from workloads.builder import NetworkBuilder
        from workloads.mac_layers import MacLayer

        self.params = params
        places = 1
        overrides = [
            f"core.rows={params.rows}", f"core.cols={params.cols}", f"core.dataflows=[{params.dataflow}]",
            f"core.input_format={params.input_format}", f"core.weight_format={params.weight_format}",
            "energy.allow_default=true",
        ]  # fmt: skip
        if isinstance(params, SystolicNMParams):
            places = params.group
            overrides += [f"core.sparsity.n={params.kept}", f"core.sparsity.m={params.group}"]
        if params.accumulator_depth < LAYER_PIXELS:  # the machine's sums must fit the core, one vector each
            overrides.append(f"core.accumulator.half={params.accumulator_depth * SUM_BYTES}B")
        builder = NetworkBuilder(
            "layer",
            "LeNet's second convolution; LeCun et al., Proc. IEEE 86(11) 1998",
            activation=params.input_format,
            weight=params.weight_format,
        )
        network = builder.build(builder.conv(builder.input("image", (1, 6, 14, 14)), 16, 5, name="c3"))
        self.plan = plan = make_plan(network, load_accelerator("edge_int8", overrides))
        layer = plan.groups[0].group.lead
        assert isinstance(layer, MacLayer)
        draw = np.random.default_rng(seed)
        d = layer.dims
        i, w = params.input_format, params.weight_format
        image = draw.integers(i.min, i.max, (d.C, *layer.input_spatial[1:]), dtype=np.int64, endpoint=True)
        weight = draw.integers(w.min, w.max, (d.K, d.C, d.FY, d.FX), dtype=np.int64, endpoint=True)
        if isinstance(params, SystolicNMParams):
            weight = Sparsity(params.kept, params.group).prune(weight)
        self.pieces = _pieces(plan.groups[0].parts[0].mapping("core"), layer)
        self.jobs = tuple(JobData(*_operands(layer, image, weight, piece, places)) for piece in self.pieces)
        self.golden = _convolve(layer, image, weight)
        self.offered, self.predicted_cycles = self._times(plan)

    def _times(self, plan: Plan) -> tuple[tuple[int, ...], int]:
        """Return when the event model issued each compute command of the layer, and first issue to last result."""
        from mappers.commands import ComputeCommand
        from sim.machine import run_program

        run = run_program(plan.program, plan.accelerator)
        spans = [
            (command, span)
            for command, span in zip(plan.program.commands, run.spans, strict=True)
            if command.engine == "array"
        ]
        for (command, _), job in zip(spans, self.jobs, strict=True):
            assert isinstance(command, ComputeCommand)
            assert command.job == _fold(self.params, job)
        first = spans[0][1].issue
        return tuple(span.issue - first for _, span in spans), max(span.end for _, span in spans) - first

    def wrong(self, run: ScenarioRun) -> int:
        """Return how many result rows differ: of each job, and of the layer they add up to."""
        errors = _wrong(self.params, self.jobs, run)
        total = np.zeros_like(self.golden)
        for (pixels, channels, _), got in zip(self.pieces, run.jobs, strict=True):
            total[np.ix_(pixels, channels)] += got.outputs
        return errors + int((self.params.accumulator_format.wrap(total) != self.golden).any(axis=1).sum())


Piece = tuple[list[int], list[int], list[int]]


def _pieces(mapping: Mapping, layer: MacLayer) -> list[Piece]:
    """Return output pixels, output channels and input channels of every compute command, in the order of the nest."""
    d = layer.dims
    size = {"OY": d.OY, "OX": d.OX, "K": d.K, "C": d.C}
    pieces = []
    for steps in product(*(range(loop.trips) for loop in mapping.loops)):
        span = {dim: range(extent) for dim, extent in size.items()}
        for loop, step in zip(mapping.loops, steps, strict=True):
            start = step * loop.tile
            span[loop.dim] = range(start, start + loop.size(step))
        pixels = [y * d.OX + x for y in span["OY"] for x in span["OX"]]
        pieces.append((pixels, list(span["K"]), list(span["C"])))
    return pieces


def _operands(
    layer: MacLayer, image: IntArray, weight: IntArray, piece: Piece, places: int
) -> tuple[IntArray, IntArray]:
    """Return the activation and weight matrix of one piece, its window flattened (FY, FX, C).

    Channels of each tap are filled up with zeros to whole groups of `places`.
    """
    pixels, channels, inputs = piece
    rows, short = [], -len(piece[2]) % places
    for pixel in pixels:
        y, x = divmod(pixel, layer.dims.OX)
        rows.append(np.pad(_window(layer, image, y, x)[:, :, inputs], ((0, 0), (0, 0), (0, short))).reshape(-1))
    taps = weight[np.ix_(channels, inputs)].transpose(2, 3, 1, 0)
    return np.stack(rows), np.pad(taps, ((0, 0), (0, 0), (0, short), (0, 0))).reshape(-1, len(channels))


def _window(layer: MacLayer, image: IntArray, y: int, x: int) -> IntArray:
    """Return the window of one output pixel, shape (FY, FX, C), zero where it sees padding."""
    d = layer.dims
    out = np.zeros((d.FY, d.FX, d.C), dtype=np.int64)
    for fy, fx in product(range(d.FY), range(d.FX)):
        row = y * layer.strides[1] - layer.padding[1][0] + fy * layer.dilations[1]
        col = x * layer.strides[2] - layer.padding[2][0] + fx * layer.dilations[2]
        if 0 <= row < image.shape[1] and 0 <= col < image.shape[2]:
            out[fy, fx] = image[:, row, col]
    return out


def _convolve(layer: MacLayer, image: IntArray, weight: IntArray) -> IntArray:
    """Return the layer's output, shape (OY x OX, K), written as the definition."""
    d = layer.dims
    out = np.zeros((d.OY * d.OX, d.K), dtype=np.int64)
    for y, x in product(range(d.OY), range(d.OX)):
        window = _window(layer, image, y, x)
        out[y * d.OX + x] = np.einsum("yxc,kcyx->k", window, weight)
    return out
