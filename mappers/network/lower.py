"""Lowering of decisions about a network (order, cores, options, residency) to the tasks of `mappers.network.program`.

Space is reused by waits: whoever takes bytes of the shared scratchpad waits for every user of what lay there before. A
tensor that is read from DRAM waits for whoever wrote it there. Tiles of what streams lie in a part of the scratchpad
that each core has for itself, at its top.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from hw_models.accelerator import Accelerator
from mappers.commands import Program
from mappers.network.cost import Option, nameless
from mappers.network.graph import Operator, OperatorGraph
from mappers.network.program import Compute, Load, NetworkProgram, Region, Store, Task
from mappers.network.residency import Residency, Stay
from mappers.network.work import Work, core_program
from workloads.errors import Infeasible, InfeasibleError, InternalError


@dataclass
class Space:
    """Who used which bytes last: the tasks that a new region must wait for."""

    used: list[tuple[int, int, int]] = field(default_factory=list)
    users: list[list[int]] = field(default_factory=list)

    def open(self, address: int, size: int) -> tuple[int, tuple[int, ...]]:
        """Return a new region's number and the tasks it waits for."""
        stop, waits, kept = address + size, [], []
        for low, high, region in self.used:
            if low < stop and address < high:
                waits += self.users[region]
                kept += [(a, b, region) for a, b in ((low, address), (stop, high)) if a < b]
            else:
                kept.append((low, high, region))
        self.users.append([])
        number = len(self.users) - 1
        self.used = [*kept, (address, stop, number)]
        return number, tuple(dict.fromkeys(waits))

    def use(self, region: int, task: int) -> None:
        """Note that `task` uses `region`."""
        self.users[region].append(task)


class Lowering:
    """Builds the tasks; one instance per program.

    Parameters
    ----------
    cores : sequence of Accelerator
        Whose commands the program has; without them it has costs alone.
    """

    def __init__(
        self,
        graph: OperatorGraph,
        cluster_name: str,
        core_names: Sequence[str],
        capacity_bytes: int,
        cores: Sequence[Accelerator] = (),
    ) -> None:
        self.graph, self.cluster_name, self.capacity = graph, cluster_name, capacity_bytes
        self.core_names = tuple(core_names)
        self.cores = {core.core.name: core for core in cores}
        self.works: dict[str, list[Work]] = {name: [] for name in self.cores}
        self.tasks: list[Task] = []
        self.regions: list[Region] = []
        self.space = Space()
        self.ready: dict[int, list[int]] = {}
        """Per region the tasks that complete it."""
        self.in_dram: dict[str, tuple[int, ...]] = dict.fromkeys(graph.sources, ())
        """Per tensor that DRAM holds: the tasks after which it is there."""
        for op in graph.operators:
            if op.weight_bytes:
                self.in_dram[op.weights] = ()

    def open(self, tensor: str, address: int, size: int, staging: bool = False) -> tuple[int, tuple[int, ...]]:
        """Take a region and return it with what its first user waits for."""
        number, waits = self.space.open(address, size)
        self.regions.append(Region(tensor, address, size, staging))
        self.ready[number] = []
        return number, waits

    def add(self, task: Task, work: Work | None = None, again: int | None = None) -> int:
        """Append `task`, note its uses of regions, and return its number.

        Parameters
        ----------
        work : Work, optional
            What a computation is as commands.
        again : int, optional
            An earlier task on the same core whose commands it repeats, for another item.
        """
        number = len(self.tasks)
        if isinstance(task, Compute) and task.core in self.works:
            task = self._with_entry(task, work, again)
        self.tasks.append(task)
        if isinstance(task, Compute):
            for region in (*task.reads, *task.writes, *task.stages):
                self.space.use(region, number)
            for region in task.writes:
                self.ready[region].append(number)
        else:
            self.space.use(task.region, number)
            if isinstance(task, Load):
                self.ready[task.region].append(number)
        return number

    def _with_entry(self, task: Compute, work: Work | None, again: int | None) -> Compute:
        """Return `task` with its place in the program of its core."""
        if again is not None:
            before = self.tasks[again]
            assert isinstance(before, Compute)
            return replace(task, entry=before.entry, share=before.share, common=before.common)
        if work is None:
            raise InternalError(f"network plan: '{task.name}' on '{task.core}' has no commands")
        self.works[task.core].append(work)
        return replace(task, entry=len(self.works[task.core]) - 1, share=work.share, common=work.common)

    def _programs(self) -> dict[str, Program]:
        """Return the commands of every core; equal cores with equal work are lowered once."""
        return {name: lowered(self.graph, self.cores[name], works) for name, works in self.works.items()}

    def from_dram(self, tensor: str, step: str) -> tuple[int, ...]:
        """Return the tasks after which DRAM holds `tensor`."""
        if tensor not in self.in_dram:
            raise InternalError(f"network plan: '{step}' reads '{tensor}' from DRAM, where nothing wrote it")
        return self.in_dram[tensor]

    def finish(self) -> NetworkProgram:
        """Return the program."""
        name = self.graph.network.name
        tasks, regions = tuple(self.tasks), tuple(self.regions)
        macs = {op.name: op.macs for op in self.graph.operators}
        return NetworkProgram(name, self.cluster_name, tasks, regions, self.capacity, self._programs(), macs)


def lowered(graph: OperatorGraph, core: Accelerator, works: Sequence[Work]) -> Program:
    """Return the commands of `works` on `core`, lowered once for equal cores and for all plans of `graph`."""
    key = nameless(core), tuple(works)
    if key not in graph.lowered:
        graph.lowered[key] = core_program(graph, core, works)
    return graph.lowered[key]


def lower_plan(
    graph: OperatorGraph,
    cluster_name: str,
    capacity_bytes: int,
    residency: Residency,
    options: Mapping[str, Option],
    parts: Mapping[str, Sequence[Option]] | None = None,
    cores: Sequence[Accelerator] = (),
) -> NetworkProgram:
    """Return the program of a residency under one option per operator (by name).

    Parameters
    ----------
    parts : mapping of str to sequence of Option, optional
        Operators that run in parts side by side, one per core; `options` then have the bytes of all parts.
    cores : sequence of Accelerator, optional
        Whose commands the program has; without them it has costs alone.

    Raises
    ------
    InfeasibleError
        If tiles of what streams do not fit beside the stays.
    """
    made = _PlanLowering(graph, cluster_name, capacity_bytes, residency, options, parts or {}, cores)
    for step, index in enumerate(residency.order):
        made.step(step, graph.operators[index])
    return made.low.finish()


class _PlanLowering:
    def __init__(
        self,
        graph: OperatorGraph,
        cluster_name: str,
        capacity_bytes: int,
        residency: Residency,
        options: Mapping[str, Option],
        parts: Mapping[str, Sequence[Option]],
        cores: Sequence[Accelerator],
    ) -> None:
        self.parts = parts
        used = list(dict.fromkeys(options[op.name].core for op in graph.operators))
        self.low = Lowering(graph, cluster_name, used, capacity_bytes, cores)
        self.graph, self.residency, self.options = graph, residency, options
        self.stay_at: dict[str, list[Stay]] = {}
        for stay in residency.stays:
            self.stay_at.setdefault(stay.tensor, []).append(stay)
        self.region_of: dict[Stay, int] = {}
        self.later_reads = self._later_reads()
        self.arena = self._arenas(capacity_bytes)

    def _stay(self, tensor: str, step: int) -> Stay | None:
        for stay in self.stay_at.get(tensor, ()):
            if stay.first <= step <= stay.last:
                return stay
        return None

    def _later_reads(self) -> dict[str, int]:
        """Return, per tensor, the last step that reads it from DRAM (streaming, or loading a stay)."""
        found: dict[str, int] = {}
        for step, index in enumerate(self.residency.order):
            for name in self.graph.operators[index].inputs:
                stay = self._stay(name, step)
                if stay is None or (stay.first == step and stay.entry == "load"):
                    found[name] = step
        for stay in self.residency.stays:
            if stay.entry == "load":
                found[stay.tensor] = max(found.get(stay.tensor, 0), stay.first)
        return found

    def _staged(self, step: int, op: Operator) -> list[tuple[str, int]]:
        """Return the tiles that `op` holds of activations that stream at `step`."""
        sizes = dict(self.options[op.name].stage_bytes)
        return [(name, sizes[name]) for name in (*op.inputs, op.output) if name in sizes and not self._stay(name, step)]

    def _arenas(self, capacity_bytes: int) -> dict[str, int]:
        """Return where the tiles of each core lie: one part per core, below the end of the scratchpad."""
        need: dict[str, int] = dict.fromkeys(self.low.core_names, 0)
        for step, index in enumerate(self.residency.order):
            op = self.graph.operators[index]
            core = self.options[op.name].core
            need[core] = max(need[core], sum(size for _, size in self._staged(step, op)))
        top = max((s.address + self.graph.bytes_of[s.tensor] for s in self.residency.stays), default=0)
        total = sum(need.values())
        if top + total > capacity_bytes:
            raise InfeasibleError(
                Infeasible(
                    f"network '{self.graph.network.name}'",
                    "capacity[shared]",
                    top + total,
                    capacity_bytes,
                    "bytes",
                    ("raise shared.capacity", "keep fewer tensors"),
                )
            )
        places, address = {}, capacity_bytes
        for core, size in need.items():
            address -= size
            places[core] = address
        return places

    def step(self, step: int, op: Operator) -> None:
        """Add the loads, the computation and the stores of one step."""
        low, option = self.low, self.options[op.name]
        after: list[int] = []
        reads, writes, stages = [], [], []
        stream_in = []
        for name in (*op.inputs, *((op.weights,) if op.weight_bytes else ())):
            stay = self._stay(name, step)
            if stay is None:
                if option.reads(name):
                    stream_in.append((name, option.reads(name)))
                    after += low.from_dram(name, op.name)
                continue
            if stay not in self.region_of:
                self._load(stay, op)
            region = self.region_of[stay]
            reads.append(region)
            after += low.ready[region]
        stay = self._stay(op.output, step)
        if stay is not None:
            region, waits = low.open(op.output, stay.address, self.graph.bytes_of[op.output])
            self.region_of[stay] = region
            writes.append(region)
            after += waits
        offset = self.arena.get(option.core, 0)
        for name, size in self._staged(step, op):
            region, waits = low.open(name, offset, size, staging=True)
            offset += size
            stages.append(region)
            after += waits
        numbers = self._computes(op, reads, writes, stages, [name for name, _ in stream_in], stay is None, after)
        if stay is None:
            low.in_dram[op.output] = numbers
        elif stay.spill or op.output in self.graph.outputs or op.output in self.later_reads:
            kind = "output" if op.output in self.graph.outputs else "spill"
            size, region = self.graph.bytes_of[op.output], self.region_of[stay]
            low.in_dram[op.output] = (low.add(Store(op.output, kind, size, region, numbers)),)  # type: ignore[arg-type]

    def _computes(
        self,
        op: Operator,
        reads: Sequence[int],
        writes: Sequence[int],
        stages: Sequence[int],
        streaming: Sequence[str],
        output_streams: bool,
        after: Sequence[int],
    ) -> tuple[int, ...]:
        """Add the computation of `op`, or one per part; return the tasks."""
        parts = self.parts.get(op.name) or (self.options[op.name],)
        numbers = []
        for place, part in enumerate(parts):
            macs = _macs(op, part, place, len(parts))
            moved = tuple((name, part.reads(name)) for name in streaming)
            out = ((op.output, part.written_bytes),) if output_streams else ()
            numbers.append(
                self.low.add(
                    Compute(
                        *(op.name, part.core, part.cycles, part.energy_pj, macs, tuple(reads), tuple(writes)),
                        tuple(stages),
                        moved,
                        out,
                        tuple(dict.fromkeys(after)),
                        f"part {place}" if len(parts) > 1 else "",
                    ),
                    part.work,
                )
            )
        return tuple(numbers)

    def _load(self, stay: Stay, op: Operator) -> None:
        """Bring a tensor in before the step that first needs it."""
        low = self.low
        size = self.graph.bytes_of[stay.tensor]
        region, waits = low.open(stay.tensor, stay.address, size)
        waits = (*waits, *low.from_dram(stay.tensor, op.name))
        self.region_of[stay] = region
        fresh = stay.tensor not in self.graph.maker and self.stay_at[stay.tensor][0] is stay
        low.add(Load(stay.tensor, "fetch" if fresh else "retrieve", size, region, tuple(dict.fromkeys(waits))))


def _macs(op: Operator, option: Option, place: int, parts: int) -> int:
    """Return the MACs of part `place`: those of its commands, where it has some on the array, else an equal share."""
    if option.work is not None and option.work.pieces:
        return option.work.macs
    return op.macs * (place + 1) // parts - op.macs * place // parts
