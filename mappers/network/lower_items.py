"""Lowering of several items of one network: as a layer pipeline with FIFOs, or each item whole on a core of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hw_models.cluster import Cluster
from mappers.network.cost import Option
from mappers.network.fuse import Options
from mappers.network.graph import Operator, OperatorGraph
from mappers.network.lower import Lowering
from mappers.network.pipeline import Pipeline, Stage, balanced_stages
from mappers.network.program import Compute, Load, NetworkProgram
from workloads.errors import Infeasible, InfeasibleError, InputError


def make_pipeline(graph: OperatorGraph, cluster: Cluster, options: Options) -> Pipeline:
    """Return the pipeline of `graph` over the cores of `cluster`, the first cores first, with the shortest interval."""
    names = [op.name for op in graph.operators]
    cycles = {name: {core: option.cycles for core, option in options[name].items()} for name in names}
    best: tuple[Stage, ...] | None = None
    for count in range(min(len(cluster.cores), len(names)), 0, -1):
        stages = balanced_stages(names, cycles, cluster.core_names[:count])
        if stages is not None and (best is None or max(s.cycles for s in stages) < max(s.cycles for s in best)):
            best = stages
    if best is None:
        raise InputError(f"pipeline of '{graph.network.name}': no run of cores can take it; give them wider formats")
    tensors = tuple(
        (op.output, op.name, tuple(graph.operators[step].name for step in graph.readers[op.output]))
        for op in graph.operators
        if graph.readers[op.output]
    )
    return Pipeline(best, tensors)


def lower_pipeline(
    graph: OperatorGraph,
    cluster: Cluster,
    pipeline: Pipeline,
    options: Options,
    items: int,
    depths: Mapping[str, int],
) -> NetworkProgram:
    """Return the program of `items` items through `pipeline` with `depths` places per tensor.

    Constants stay, largest first, where there is room beside the FIFOs; the others stream for every item. Sources
    stream in and outputs out.

    Raises
    ------
    InfeasibleError
        If the FIFOs alone exceed the shared scratchpad.
    """
    low = Lowering(graph, cluster.name, cluster.core_names, cluster.shared.capacity_bytes, cluster.cores)
    address, base = 0, {}
    for tensor, depth in depths.items():
        base[tensor] = address
        address += depth * graph.bytes_of[tensor]
    core_of = {name: stage.core for stage in pipeline.stages for name, _ in stage.operators}
    chosen = {op.name: options[op.name][core_of[op.name]] for op in graph.operators}
    tiles = _tile_places(graph, cluster, chosen, set(depths))
    address += sum(tiles.values())
    if address > low.capacity:
        raise InfeasibleError(
            Infeasible(
                f"pipeline of '{graph.network.name}'",
                "capacity[shared] of FIFOs and tiles",
                address,
                low.capacity,
                "bytes",
                ("raise shared.capacity", "give --fifo-places 1", "use fewer cores", "use --execution fused"),
            )
        )
    constants = _constants(graph, low, address)
    offsets, at = {}, sum(depth * graph.bytes_of[tensor] for tensor, depth in depths.items())
    for core, size in tiles.items():
        offsets[core] = at
        at += size
    made = _Items(graph, low, pipeline, chosen, depths, base, constants, offsets)
    for item in range(items):
        made.item(item)
    return made.finish()


def _tile_places(
    graph: OperatorGraph, cluster: Cluster, chosen: Mapping[str, Option], inside: set[str]
) -> dict[str, int]:
    """Return the bytes that each core needs for tiles of what streams."""
    need = dict.fromkeys(cluster.core_names, 0)
    for op in graph.operators:
        option = chosen[op.name]
        staged = sum(size for name, size in option.stage_bytes if name not in inside)
        need[option.core] = max(need[option.core], staged)
    return need


def _constants(graph: OperatorGraph, low: Lowering, address: int) -> dict[str, int]:
    """Load the constants that fit, the largest first, and return their regions."""
    regions: dict[str, int] = {}
    for op in sorted(graph.operators, key=lambda op: (-op.weight_bytes, op.name)):
        if op.weight_bytes and address + op.weight_bytes <= low.capacity:
            region, _ = low.open(op.weights, address, op.weight_bytes)
            address += op.weight_bytes
            regions[op.weights] = region
    for op in graph.operators:  # in the order of use
        if op.weights in regions:
            low.add(Load(op.weights, "fetch", op.weight_bytes, regions[op.weights], ()))
    return regions


class _Items:
    """The tasks of item after item; waits that name tasks of the same item not made yet are filled in at the end."""

    def __init__(
        self,
        graph: OperatorGraph,
        low: Lowering,
        pipeline: Pipeline,
        chosen: Mapping[str, Option],
        depths: Mapping[str, int],
        base: Mapping[str, int],
        constants: Mapping[str, int],
        tiles: Mapping[str, int],
    ) -> None:
        self.graph, self.low, self.chosen, self.depths, self.base = graph, low, chosen, depths, base
        self.constants, self.tiles = constants, tiles
        self.readers = {tensor: readers for tensor, _, readers in pipeline.tensors}
        self.tasks: dict[tuple[str, int], int] = {}
        self.regions: dict[tuple[str, int], int] = {}
        self.late: list[tuple[int, str, int]] = []

    def item(self, item: int) -> None:
        for op in self.graph.operators:
            self._operator(op, item)

    def _operator(self, op: Operator, item: int) -> None:
        low, graph, option = self.low, self.graph, self.chosen[op.name]
        after: list[int] = []
        reads, writes, stream_in = [], [], []
        for name in (*op.inputs, *((op.weights,) if op.weight_bytes else ())):
            if name in self.constants:
                reads.append(self.constants[name])
                after += low.ready[self.constants[name]]
            elif (name, item) in self.regions:
                reads.append(self.regions[name, item])
                after.append(self.tasks[graph.operators[graph.maker[name]].name, item])
            elif option.reads(name):
                stream_in.append((name, option.reads(name)))
        out: tuple[tuple[str, int], ...] = ()
        number = len(low.tasks)
        if op.output in self.depths:
            depth, size = self.depths[op.output], graph.bytes_of[op.output]
            slot = item % depth if depth else 0
            if item >= depth:
                self.late += [(number, reader, item - depth) for reader in self.readers[op.output]]
            region, _ = low.open(op.output, self.base[op.output] + slot * size, size)
            self.regions[op.output, item] = region
            writes.append(region)
        if op.output in graph.outputs:
            out = ((op.output, graph.bytes_of[op.output]),)
        stages = []
        staged = sum(size for name, size in option.stage_bytes if name not in self.depths)
        if staged:
            region, waits = low.open(f"{op.name} tiles", self.tiles[option.core], staged, staging=True)
            stages.append(region)
            # the task before on this core has ended, but its last tiles may be on their way to DRAM
            after += [task for task in waits if isinstance(before := low.tasks[task], Compute) and before.stream_out]
        self.tasks[op.name, item] = low.add(
            Compute(
                *(op.name, option.core, option.cycles, option.energy_pj, op.macs, tuple(reads), tuple(writes)),
                *(tuple(stages), tuple(stream_in), out, tuple(dict.fromkeys(after))),
                f"item {item}",
            ),
            option.work,
            self.tasks.get((op.name, 0)),
        )

    def finish(self) -> NetworkProgram:
        """Return the program with the waits for free places in it."""
        more: dict[int, list[int]] = {}
        for number, reader, item in self.late:
            more.setdefault(number, []).append(self.tasks[reader, item])
        tasks = [
            replace(task, after=tuple(dict.fromkeys((*task.after, *more[number])))) if number in more else task
            for number, task in enumerate(self.low.tasks)
        ]
        self.low.tasks = tasks
        return self.low.finish()


def lower_batch(graph: OperatorGraph, cluster: Cluster, options: Options, items: int) -> NetworkProgram:
    """Return the program of `items` items, item i whole on core i modulo the cores, everything streaming.

    Raises
    ------
    InputError
        If a core cannot run some operator.
    """
    low = Lowering(graph, cluster.name, cluster.core_names, cluster.shared.capacity_bytes, cluster.cores)
    names = cluster.core_names
    missing = [(op.name, core) for op in graph.operators for core in names if core not in options[op.name]]
    if missing:
        raise InputError(
            f"batch over '{cluster.name}': core '{missing[0][1]}' cannot run operator '{missing[0][0]}'; use layers"
        )
    need = {core: max(options[op.name][core].scratchpad_bytes for op in graph.operators) for core in names}
    total = sum(need.values())
    if total > low.capacity:
        raise InfeasibleError(
            Infeasible(
                f"batch of '{graph.network.name}'",
                "capacity[shared] of tiles",
                total,
                low.capacity,
                "bytes",
                ("raise shared.capacity",),
            )
        )
    place, at = {}, 0
    for core, size in need.items():
        place[core] = at
        at += size
    first: dict[tuple[str, str], int] = {}
    for item in range(items):
        core = names[item % len(names)]
        done: dict[str, int] = {}
        for op in graph.operators:
            option = options[op.name][core]
            stages, waits = [], []
            if option.scratchpad_bytes:
                region, waits_of = low.open(f"{op.name} tiles", place[core], option.scratchpad_bytes, staging=True)
                stages, waits = [region], list(waits_of)
            after = [*waits, *(done[name] for name in op.inputs if name in done)]
            done[op.output] = low.add(
                Compute(
                    *(op.name, core, option.cycles, option.energy_pj, op.macs, (), (), tuple(stages)),
                    option.read_bytes,
                    ((op.output, option.written_bytes),),
                    tuple(dict.fromkeys(after)),
                    f"item {item}",
                ),
                option.work,
                first.get((core, op.name)),
            )
            first.setdefault((core, op.name), done[op.output])
    return low.finish()
