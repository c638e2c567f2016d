"""Run a pipeline: exact cycles of every image, fill of every FIFO, and who holds whom up."""

from __future__ import annotations

from dataclasses import dataclass

from hw_models.streaming.stages import Source
from sim.pipeline.kernel import Counter, WatchdogError, evaluate
from sim.pipeline.network import Pipeline
from sim.pipeline.processes import Fifo, Ports, processes_of
from workloads.errors import Infeasible, InfeasibleError, InputError

MAX_IMAGES = 10_000


@dataclass(frozen=True, slots=True)
class StageTime:
    """Cycles of one unit over the run: `cycles` per image if it never waits; `done_cycles` per image."""

    name: str
    cycles: int
    done_cycles: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class FifoFill:
    """Fill of one FIFO: its depth (0: no limit), the most words it held, and the cycles its last word waited in it."""

    name: str
    depth: int
    peak_words: int


@dataclass(frozen=True, slots=True)
class PipelineRun:
    """Outcome of a run.

    Parameters
    ----------
    done_cycles : tuple of int
        Per image, the cycles from the start of the run until every unit was done with it.
    result_cycles : tuple of int
        Per image, the cycles until its last result word left the last unit.
    stages : tuple of StageTime
    fifos : tuple of FifoFill
    """

    pipeline: str
    done_cycles: tuple[int, ...]
    result_cycles: tuple[int, ...]
    stages: tuple[StageTime, ...]
    fifos: tuple[FifoFill, ...]

    @property
    def latency_cycles(self) -> int:
        """Value of the cycles from the first word in to the last result of the first image."""
        return self.result_cycles[0]

    @property
    def interval_cycles(self) -> int:
        """Value of the cycles between the last two images: the steady interval if the run is long enough."""
        if len(self.result_cycles) < 2:
            raise InputError(f"pipeline '{self.pipeline}': one image has no interval; run two or more")
        return self.result_cycles[-1] - self.result_cycles[-2]

    @property
    def bottleneck(self) -> str:
        """Value of the name of the unit with the most cycles per image."""
        return max(self.stages, key=lambda stage: stage.cycles).name


def run_pipeline(pipeline: Pipeline, images: int = 3, limit_cycles: int = 1 << 40) -> PipelineRun:
    """Run `images` images back to back.

    Parameters
    ----------
    images : int
        1 to 10 000.
    limit_cycles : int
        Watchdog: simulated cycles after which the run is given up.

    Raises
    ------
    DeadlockError
        With every waiter, if FIFOs are too shallow for the pipeline to go on.
    InfeasibleError
        If the run passes `limit_cycles`.
    """
    if not 1 <= images <= MAX_IMAGES:
        raise InputError(f"pipeline '{pipeline.name}': images is {images}, bound is 1..{MAX_IMAGES}; choose one in it")
    if pipeline.interval_bound_cycles * images > limit_cycles:
        raise _late(pipeline, pipeline.interval_bound_cycles * images, limit_cycles)
    fifos = {
        channel: Fifo(
            channel.name,
            channel.depth,
            Counter(f"a word in FIFO {channel.name} (depth {channel.depth or 'unlimited'})", channel.source),
            Counter(f"room in FIFO {channel.name} (depth {channel.depth})", channel.target),
        )
        for channel in pipeline.channels
    }
    ports, processes = {}, []
    for stage in pipeline.stages:
        inputs = sorted((c for c in fifos if c.target == stage.name), key=lambda c: c.target_port)
        outputs = sorted((c for c in fifos if c.source == stage.name), key=lambda c: c.source_port)
        ports[stage.name] = Ports([fifos[c] for c in inputs], [fifos[c] for c in outputs], [])
        processes += [(stage.name, process) for process in processes_of(stage, ports[stage.name], images)]
    levers = tuple(
        f"raise the depth of FIFO {c.name} ({c.depth})" for c in pipeline.channels if _is_full(fifos[c], c.depth)
    )
    try:
        evaluate(pipeline.name, processes, levers)
    except InfeasibleError as error:
        full = [c for c in pipeline.channels if _is_full(fifos[c], c.depth)]
        raise _with_levers(error, tuple(f"raise the depth of FIFO {c.name} ({c.depth})" for c in full)) from None
    times = [StageTime(stage.name, stage.cycles, tuple(ports[stage.name].done)) for stage in pipeline.stages]
    ends = [t for t, stage in zip(times, pipeline.stages, strict=True) if not ports[stage.name].outputs]
    results = tuple(max(t.done_cycles[i] for t in ends) for i in range(images))
    done = tuple(
        max(t.done_cycles[i] for t, s in zip(times, pipeline.stages, strict=True) if not isinstance(s, Source))
        for i in range(images)
    )
    if max(done) > limit_cycles:
        raise _late(pipeline, max(done), limit_cycles)
    fills = tuple(FifoFill(c.name, c.depth, _peak(fifos[c])) for c in pipeline.channels)
    return PipelineRun(pipeline.name, done, results, tuple(times), fills)


def _is_full(fifo: Fifo, depth: int) -> bool:
    return bool(depth) and len(fifo.written.at) - len(fifo.read.at) >= depth


def _with_levers(error: InfeasibleError, levers: tuple[str, ...]) -> InfeasibleError:
    from dataclasses import replace

    from sim.pipeline.kernel import DeadlockError

    if isinstance(error, DeadlockError):
        error.record = replace(error.record, levers=levers)
        error.args = (str(error.record),)
    return error


def _late(pipeline: Pipeline, cycles: int, limit: int) -> WatchdogError:
    return WatchdogError(
        Infeasible(
            subject=f"pipeline '{pipeline.name}'",
            constraint="watchdog on simulated cycles",
            demand=cycles,
            bound=limit,
            unit="cycles",
            levers=("raise the limit or run fewer images",),
        )
    )


def _peak(fifo: Fifo) -> int:
    """Return the most words in the FIFO at the end of any cycle."""
    peak = index = 0
    reads = fifo.read.at
    for count, cycle in enumerate(fifo.written.at, 1):
        while index < len(reads) and reads[index] <= cycle:
            index += 1
        peak = max(peak, count - index)
    return peak
