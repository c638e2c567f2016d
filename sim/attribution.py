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

from dataclasses import dataclass

import numpy as np

from hw_models.accelerator import Accelerator
from hw_models.array_timing import timings_of
from mappers.commands import ComputeCommand, Program
from mappers.kinds import kinds_of
from sim.channel import READ
from sim.columns import NUMBER, Columns, columns_of, kind_of
from sim.painting import Intervals, in_order, paint, union
from sim.raw_run import Run
from sim.span_table import IntArray
from sim.waiting import HOST, waiting

CAUSES = ("dram_read", "dram_write", "dram_latency", "fill_drain", "vector", "dependency", "issue")
COMPUTE = "compute"
BANK_CONFLICT = "bank_conflict"
"""A cause of machines whose scratchpads have banks; others do not list it."""
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


def windows(program: Program, run: Run, accelerator: Accelerator) -> list[Piece]:
    """Return each layer's window; they partition the run, in program order of the layers."""
    columns = columns_of(kinds_of(program, accelerator.dram.beat_bytes), run)
    return _windows(len(program.layers), columns, run)


def _windows(layers: int, columns: Columns, run: Run) -> list[Piece]:
    """Return the windows of `layers` layers.

    A window ends with the last completion of the layer's array, vector and store commands, no earlier than the one
    before; a layer without such commands gets an empty window, the last layer the rest of the run.
    """
    ends = np.zeros(layers, dtype=columns.end.dtype)
    behind = np.flatnonzero(columns.engine != NUMBER["load"])
    np.maximum.at(ends, columns.layer[behind], columns.end[behind])
    result, at = [], 0
    for index, end in enumerate(ends.tolist()):
        stop = run.cycles if index == layers - 1 else max(at, end)
        result.append((at, stop))
        at = stop
    return result


class _Attribution:
    """Paints what is left of the windows, paint by paint, and sums what each takes per layer and cause."""

    def __init__(self, program: Program, run: Run, accelerator: Accelerator) -> None:
        self.program, self.run, self.accelerator = program, run, accelerator
        self.kinds = kinds_of(program, accelerator.dram.beat_bytes)
        self.columns = columns_of(self.kinds, run)
        self.causes = (COMPUTE, *causes_of(accelerator))
        self.label = {cause: number for number, cause in enumerate(self.causes)}
        self.windows = _windows(len(program.layers), self.columns, run)
        self.split = np.zeros((len(program.layers), len(self.causes)), dtype=kind_of(run))
        self.has = {
            engine: np.isin(np.arange(len(program.layers)), self.columns.layer[self.columns.of(engine)])
            for engine in ("array", "vector")
        }
        starts, ends = (np.array([window[end] for window in self.windows], dtype=kind_of(run)) for end in (0, 1))
        self.left = Intervals.of(starts, ends, np.arange(len(program.layers)))
        """What no paint has taken yet, labelled by layer."""

    def totals(self) -> list[list[int]]:
        """Paint everything; return the cycles per layer and cause."""
        self._vector_layers()
        if self.accelerator.core.has_banks:
            self._take(self._banked_passes())
        else:
            self._take_streams()
        for engine in ("array", "vector"):
            self._take(self._waiting(engine))
        for intervals in self._states():
            self._take(intervals)
        result: list[list[int]] = self.split.tolist()
        return result

    def _take(self, over: Intervals) -> None:
        """Paint all that is left with `over`, labelled by cause."""
        part, self.left, layers = *paint(self.left, over), self.left.labels
        np.add.at(self.split, (layers[part.first], over.labels[part.second]), part.ends - part.starts)

    def _vector_layers(self) -> None:
        """Count the vector unit's time as compute in layers without array commands."""
        array = self.has["array"][self.left.labels]
        others, self.left = self.left.where(array), self.left.where(~array)
        vector = self.columns.of("vector")
        self._take(union(self.columns.issue[vector], self.columns.end[vector], self.label[COMPUTE]))
        self.left = in_order(others, self.left)

    def _take_streams(self) -> None:
        """Count the time from first to last operand of every array command, folds in closed form."""
        timings, columns = timings_of(self.accelerator.core.array), self.columns
        array = columns.of("array")
        array = array[(columns.begin[array] < columns.last[array]).astype(bool)]
        begin, last = columns.begin[array], columns.last[array]
        stream = self.kinds.each(lambda c: c.job.stream if isinstance(c, ComputeCommand) else 0)[array]
        interval = self.kinds.each(
            lambda c: timings[c.dataflow].interval_cycles(c.job) if isinstance(c, ComputeCommand) else 0
        )[array]
        over = Intervals(begin, last, np.zeros(len(array), dtype=np.int64))
        part, self.left, layers = *paint(self.left, over), self.left.labels
        job = part.second
        busy = [_streamed(edge - begin[job], stream[job], interval[job]) for edge in (part.ends, part.starts)]
        compute = busy[0] - busy[1]
        np.add.at(self.split[:, self.label[COMPUTE]], layers[part.first], compute)
        np.add.at(self.split[:, self.label["fill_drain"]], layers[part.first], part.ends - part.starts - compute)

    def _banked_passes(self) -> Intervals:
        """Return the time from first to last operand of every array command as compute, conflicts and the rest."""
        array = self.columns.of("array")
        begin, last = self.columns.begin[array], self.columns.last[array]
        streams = self.kinds.each(lambda c: c.job.folds * c.job.stream if isinstance(c, ComputeCommand) else 0)
        compute = begin + streams[array]
        conflicts = [self.run.conflicts.get(place, 0) for place in array.tolist()]
        waited = compute + np.array(conflicts, dtype=kind_of(self.run))
        edges = np.stack((begin, compute, waited, last), axis=1)
        labels = [self.label[cause] for cause in (COMPUTE, BANK_CONFLICT, "fill_drain")]
        return Intervals.of(edges[:, :-1].ravel(), edges[:, 1:].ravel(), np.tile(labels, len(array)))

    def _waiting(self, engine: str) -> Intervals:
        """Return what the commands on `engine` of the layers that it leads waited for, inside their layers' windows.

        The array leads where there is an array command, else the vector unit.
        """
        latency = self.accelerator.dram.latency_cycles
        found, layers = waiting(self.program, self.columns, engine, self.label, latency)
        leads = self.has["array"] if engine == "array" else self.has["vector"] & ~self.has["array"]
        low, high = (np.array([window[end] for window in self.windows], dtype=kind_of(self.run)) for end in (0, 1))
        starts, ends = np.maximum(found.starts, low[layers]), np.minimum(found.ends, high[layers])
        inside = Intervals(starts, ends, found.labels).where(leads[layers])
        return in_order(Intervals.of(inside.starts, inside.ends, inside.labels))

    def _states(self) -> list[Intervals]:
        """Return what is busy when nothing leads."""
        c, label, q, kind = self.columns, self.label, self.run.bus_units, kind_of(self.run)
        array, vector, store, load = (c.of(engine) for engine in ("array", "vector", "store", "load"))
        behind = np.concatenate((vector, store))
        reads = [(start // q, -(-end // q)) for stream, start, end in self.run.bus if stream % 2 == READ]
        bus = np.array(reads, dtype=kind).reshape(-1, 2)
        whole = np.array([0, self.run.cycles], dtype=kind)
        return [
            union(c.last[array], c.end[array], label["fill_drain"]),
            union(c.issue[vector], c.end[vector], label["vector"]),
            union(c.ready[behind], c.issue[behind], label["issue"]),
            union(c.issue[store], c.end[store], label["dram_write"]),
            union(bus[:, 0], bus[:, 1], label["dram_read"]),
            union(c.issue[load], c.begin[load], label["dram_latency"]),
            union(whole[:1], whole[1:], label["dependency"]),
        ]


def _streamed(ticks: IntArray, stream: IntArray, interval: IntArray) -> IntArray:
    """Return how many of the first `ticks` ticks of jobs stream an operand."""
    result: IntArray = ticks // interval * stream + np.minimum(ticks % interval, stream)
    return result


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
    columns = paints.columns
    starts: dict[int, int] = {}
    for layer, issue in zip(columns.layer.tolist(), columns.issue.tolist(), strict=True):
        if issue < starts.get(layer, issue + 1):
            starts[layer] = issue
    result = []
    for layer, ((start, end), split) in enumerate(zip(paints.windows, paints.totals(), strict=True)):
        stalls = dict(zip(paints.causes[1:], split[1:], strict=True))
        result.append(LayerTime(starts.get(layer, end), start, end, split[0], stalls))
    return result
