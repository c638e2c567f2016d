"""Where the cycles of a run went: every tick of a layer's window is attributed once (docs/conventions.md, Cycles).

The windows of the layers partition the run. A window is painted in order of priority, each paint taking only ticks that
no earlier one took, so compute and stalls sum to the window by construction:

1. vector unit busy, in a layer without array commands: compute;
2. from the first to the last operand of an array command: compute while a fold streams, fill_drain between folds; on a
   machine with banks first all compute, then what operands waited for banks, then fill_drain, as a pass is one event;
3. time in which the layer's next array (or else vector) command is not there yet: what that command waited for;
4. the rest, mostly the tail of a layer, by what is busy then.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from hw_models.accelerator import Accelerator
from hw_models.array_timing import timings_of
from mappers.commands import ENGINES, AnyCommand, ComputeCommand, Engine, Program
from sim.channel import READ
from sim.raw_run import Run
from sim.spans import Span

CAUSES = ("dram_read", "dram_write", "dram_latency", "fill_drain", "vector", "dependency", "issue")
COMPUTE = "compute"
BANK_CONFLICT = "bank_conflict"
"""A cause of machines whose scratchpads have banks; others do not list it."""
HOST = "host"
"""A cause of machines whose commands come from a host."""
Piece = tuple[int, int]


@dataclass(frozen=True, slots=True)
class LayerTime:
    """Window and split of one layer, in cycles.

    Parameters
    ----------
    start_cycle : int
        Issue of its first command; may lie in an earlier layer's window.
    window_start_cycle, end_cycle : int
        Its window.
    stall_cycles : dict
        Cycles per cause of `causes_of`; with `compute_cycles` they sum to the window.
    """

    start_cycle: int
    window_start_cycle: int
    end_cycle: int
    compute_cycles: int
    stall_cycles: dict[str, int]

    @property
    def cycles(self) -> int:
        """Value of the length of the window."""
        return self.end_cycle - self.window_start_cycle


@dataclass(frozen=True, slots=True)
class _Paint:
    """Disjoint intervals in ascending order; `add(split, index, start, end)` accounts for a part of one."""

    starts: list[int]
    ends: list[int]
    add: Callable[[dict[str, int], int, int, int], None]

    def over(self, pieces: list[Piece], split: dict[str, int]) -> list[Piece]:
        """Account for the parts of `pieces` under this paint; return what is left."""
        left: list[Piece] = []
        for start, end in pieces:
            at = start
            index = max(0, bisect_right(self.starts, start) - 1)
            while index < len(self.starts) and self.starts[index] < end:
                low, high = max(at, self.starts[index]), min(end, self.ends[index])
                if low < high:
                    if at < low:
                        left.append((at, low))
                    self.add(split, index, low, high)
                    at = high
                index += 1
            if at < end:
                left.append((at, end))
        return left


def _named(cause: str, split: dict[str, int], _: int, start: int, end: int) -> None:
    split[cause] += end - start


def _labelled(segments: Sequence[tuple[int, int, str]]) -> _Paint:
    """Return disjoint ascending (start, end, cause) as a paint."""
    causes = [cause for _, _, cause in segments]

    def add(split: dict[str, int], index: int, start: int, end: int) -> None:
        split[causes[index]] += end - start

    return _Paint([start for start, _, _ in segments], [end for _, end, _ in segments], add)


def _union(cause: str, intervals: Sequence[Piece]) -> _Paint:
    """Return the union of `intervals` as a paint of one colour."""
    starts: list[int] = []
    ends: list[int] = []
    for start, end in sorted(intervals):
        if start >= end:
            continue
        if ends and start <= ends[-1]:
            ends[-1] = max(ends[-1], end)
        else:
            starts.append(start)
            ends.append(end)
    return _Paint(starts, ends, partial(_named, cause))


def windows(program: Program, run: Run) -> list[Piece]:
    """Return each layer's window; they partition the run, in program order of the layers.

    A window ends with the last completion of the layer's array, vector and store commands, no earlier than the one
    before; a layer without such commands gets an empty window, the last layer the rest of the run.
    """
    ends = [0] * len(program.layers)
    for command, span in zip(program.commands, run.spans, strict=True):
        if command.engine != "load":
            ends[command.layer] = max(ends[command.layer], span.end)
    result, at = [], 0
    for index, end in enumerate(ends):
        stop = run.cycles if index == len(ends) - 1 else max(at, end)
        result.append((at, stop))
        at = stop
    return result


class _Attribution:
    """Paints of one run."""

    def __init__(self, program: Program, run: Run, accelerator: Accelerator) -> None:
        self.program, self.run, self.accelerator = program, run, accelerator
        self.by_engine: dict[Engine, list[tuple[AnyCommand, Span]]] = {engine: [] for engine in ENGINES}
        for command, span in zip(program.commands, run.spans, strict=True):
            self.by_engine[command.engine].append((command, span))
        self.streams = self._stream_paint()
        self.vector_busy = _union(COMPUTE, [(s.issue, s.end) for _, s in self.by_engine["vector"]])
        self.state = self._state_paints()

    def _stream_paint(self) -> _Paint:
        """Return the time from first to last operand of every array command, folds counted in closed form."""
        array = self.accelerator.core.array
        if self.accelerator.core.has_banks:
            return self._banked_paint()
        jobs = []
        timings = timings_of(array)
        for command, span in self.by_engine["array"]:
            assert isinstance(command, ComputeCommand)
            interval = timings[command.dataflow].interval_cycles(command.job)
            jobs.append((span.begin, span.last, command.job.stream, interval))

        def add(split: dict[str, int], index: int, start: int, end: int) -> None:
            begin, _, stream, interval = jobs[index]
            busy = _streamed(end - begin, stream, interval) - _streamed(start - begin, stream, interval)
            split[COMPUTE] += busy
            split["fill_drain"] += end - start - busy

        return _Paint([job[0] for job in jobs], [job[1] for job in jobs], add)

    def _banked_paint(self) -> _Paint:
        """Return the time from first to last operand of every array command as compute, conflicts and the rest."""
        segments = []
        indices = (index for index, command in enumerate(self.program.commands) if command.engine == "array")
        for index, (command, span) in zip(indices, self.by_engine["array"], strict=True):
            assert isinstance(command, ComputeCommand)
            compute = span.begin + command.job.folds * command.job.stream
            waited = compute + self.run.conflicts.get(index, 0)
            segments += [(span.begin, compute, COMPUTE), (compute, waited, BANK_CONFLICT)]
            segments.append((waited, span.last, "fill_drain"))
        return _labelled([segment for segment in segments if segment[0] < segment[1]])

    def _state_paints(self) -> tuple[_Paint, ...]:
        q = self.run.bus_units
        spans = {engine: [span for _, span in self.by_engine[engine]] for engine in ENGINES}
        behind = [span for engine in ("vector", "store") for span in spans[engine]]
        return (
            _union("fill_drain", [(s.last, s.end) for s in spans["array"]]),
            _union("vector", [(s.issue, s.end) for s in spans["vector"]]),
            _union("issue", [(s.ready, s.issue) for s in behind]),
            _union("dram_write", [(s.issue, s.end) for s in spans["store"]]),
            _union(
                "dram_read", [(start // q, -(-end // q)) for stream, start, end in self.run.bus if stream % 2 == READ]
            ),
            _union("dram_latency", [(s.issue, s.begin) for s in spans["load"]]),
            _union("dependency", [(0, self.run.cycles)]),
        )

    def waiting(self, engine: Engine) -> list[_Paint]:
        """Return, per layer, the time before its commands on `engine` start their work, by what they waited for."""
        segments: list[list[tuple[int, int, str]]] = [[] for _ in self.program.layers]
        at = 0
        for command, span in self.by_engine[engine]:
            segments[command.layer] += self._before(command, span, at)
            at = span.last
        return [_labelled(layer) for layer in segments]

    def _before(self, command: AnyCommand, span: Span, at: int) -> list[tuple[int, int, str]]:
        """Return disjoint (start, end, cause) from `at`, the end of the command before, to the first operand."""
        steps = [
            (span.head, _until_head(span, "fill_drain")),
            *self._blame(command, span),
            (span.issue, "issue"),
            (span.begin, "fill_drain"),
        ]
        result = []
        for until, cause in steps:
            if until > at:
                result.append((at, until, cause))
                at = until
        return result

    def _blame(self, command: AnyCommand, span: Span) -> list[tuple[int, str]]:
        """Return (until, cause) steps up to the time the waits of `command` held."""
        ready = span.ready
        if not span.cause:
            return [(ready, "dependency")]
        count = next(n for engine, n in command.waits if engine == span.cause)
        engine = next(name for name in ENGINES if name == span.cause)
        other = self.by_engine[engine][count - 1][1]
        if engine == "load":
            latency = min(other.begin, other.issue + self.accelerator.dram.latency_cycles)
            steps = [(other.head, _until_head(other, "dram_read")), (other.ready, "dependency"), (other.issue, "issue")]
            steps += [(latency, "dram_latency"), (ready, "dram_read")]
        elif engine == "vector":
            held = {"store": "dram_write", "load": "dram_read", "array": "fill_drain"}.get(other.cause, "vector")
            steps = [
                (other.head, _until_head(other, "vector")),
                (other.ready, held),
                (other.issue, "issue"),
                (ready, "vector"),
            ]
        elif engine == "store":
            steps = [(ready, "dram_write")]
        else:
            steps = [(ready, "fill_drain" if command.engine == "array" else "dependency")]
        return [(min(until, ready), cause) for until, cause in steps]


def _until_head(span: Span, cause: str) -> str:
    """Return why a command was not at the head of its engine before: the host, where that handed it out just then."""
    return HOST if span.given >= 0 and span.given == span.head else cause


def _streamed(ticks: int, stream: int, interval: int) -> int:
    """Return how many of the first `ticks` ticks of a job stream an operand."""
    return ticks // interval * stream + min(ticks % interval, stream)


def causes_of(accelerator: Accelerator) -> tuple[str, ...]:
    """Return the stall causes that runs on `accelerator` tell apart."""
    core = accelerator.core
    more = ((core.has_banks, BANK_CONFLICT), (core.dma.host is not None, HOST))
    return (*CAUSES, *(cause for there, cause in more if there))


def attribute(program: Program, run: Run, accelerator: Accelerator) -> list[LayerTime]:
    """Return window and split of every layer.

    Returns
    -------
    list of LayerTime
        One per layer; the windows sum to `run.cycles`, compute and stalls to each window, exactly.
    """
    paints = _Attribution(program, run, accelerator)
    starts: list[int | None] = [None] * len(program.layers)
    engines: list[set[str]] = [set() for _ in program.layers]
    for command, span in zip(program.commands, run.spans, strict=True):
        first = starts[command.layer]
        starts[command.layer] = span.issue if first is None else min(first, span.issue)
        engines[command.layer].add(command.engine)
    waiting = _waiting_by_layer(paints, engines)
    result = []
    for layer, (start, end) in enumerate(windows(program, run)):
        split = dict.fromkeys((COMPUTE, *causes_of(accelerator)), 0)
        pieces = [(start, end)] if start < end else []
        order = [paints.streams, *waiting[layer], *paints.state]
        if "array" not in engines[layer]:
            order.insert(0, paints.vector_busy)
        for paint in order:
            pieces = paint.over(pieces, split)
        compute = split.pop(COMPUTE)
        began = starts[layer]
        result.append(LayerTime(end if began is None else began, start, end, compute, split))
    return result


def _waiting_by_layer(paints: _Attribution, engines: list[set[str]]) -> list[list[_Paint]]:
    """Return, per layer, the paint of its leading engine: the array, else the vector unit, else none."""
    array, vector = paints.waiting("array"), paints.waiting("vector")
    return [
        [array[layer]] if "array" in names else [vector[layer]] if "vector" in names else []
        for layer, names in enumerate(engines)
    ]
