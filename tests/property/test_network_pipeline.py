"""Layer pipelines: the recurrence, the FIFO depths and the event model against each other.

Test classes: the simulation runs as the recurrence says at the bounded depths; one place less delays or stops; a
deadlock names who waits on what; bad input.
"""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.cluster import Cluster
from hw_models.cluster_description import load_cluster
from mappers.network.pipeline import Pipeline, Stage, batch_cycles, fifo_depths, latency_cycles
from mappers.network.program import Compute, NetworkProgram, Region
from sim.network.engine import DeadlockError, run_network
from tests.reference.profile import examples
from workloads.errors import InputError

CLUSTER: Cluster = load_cluster("quad_edge")
ITEMS = 5


@st.composite
def pipelines(draw: st.DrawFn) -> Pipeline:
    """Draw up to four stages of up to two operators, each reading one or two earlier ones."""
    names: list[str] = []
    stages = []
    for core in CLUSTER.core_names[: draw(st.integers(2, 4))]:
        own = []
        for _ in range(draw(st.integers(1, 2))):
            names.append(f"op{len(names)}")
            own.append((names[-1], draw(st.integers(1, 30))))
        stages.append(Stage(core, tuple(own)))
    readers: dict[str, list[str]] = {name: [] for name in names}
    for place, name in enumerate(names[1:], start=1):
        makers = draw(st.lists(st.sampled_from(names[:place]), min_size=1, max_size=2, unique=True))
        for maker in makers:
            readers[maker].append(name)
    return Pipeline(tuple(stages), tuple((f"t{m}", m, tuple(r)) for m, r in readers.items() if r))


def program(pipeline: Pipeline, depths: dict[str, int], items: int) -> NetworkProgram:
    """Return the tasks of a pipeline with one byte per place; written apart from the lowering."""
    made: list[Compute] = []
    regions: list[Region] = []
    number: dict[tuple[str, int], int] = {}
    cell: dict[tuple[str, int], int] = {}
    order = [(stage.core, name, cycles) for stage in pipeline.stages for name, cycles in stage.operators]
    for item in range(items):
        for _, name, _ in order:
            number[name, item] = len(number)
    base, address = {}, 0
    for tensor, depth in depths.items():
        base[tensor], address = address, address + max(1, depth)
    for item in range(items):
        for core, name, cycles in order:
            reads, writes, after = [], [], []
            for tensor, maker, readers in pipeline.tensors:
                if name in readers:
                    reads.append(cell[tensor, item])
                    after.append(number[maker, item])
                if name == maker:
                    depth = depths[tensor]
                    cell[tensor, item] = len(regions)
                    regions.append(Region(tensor, base[tensor] + (item % depth if depth else 0), 1))
                    writes.append(cell[tensor, item])
                    if item >= depth:
                        after += [number[reader, item - depth] for reader in readers]
            made.append(
                Compute(
                    *(name, core, cycles, Fraction(0), 0, tuple(reads), tuple(writes), (), (), ()),
                    tuple(dict.fromkeys(after)),
                    f"item {item}",
                )
            )
    return NetworkProgram("pipeline", CLUSTER.name, tuple(made), tuple(regions), CLUSTER.shared.capacity_bytes)


class TestDepths:
    @settings(max_examples=examples(40), deadline=None)
    @given(pipelines())
    def test_the_bound_is_enough(self, pipeline: Pipeline) -> None:
        run = run_network(program(pipeline, fifo_depths(pipeline, ITEMS), ITEMS), CLUSTER)
        assert run.cycles == batch_cycles(pipeline, ITEMS)
        assert batch_cycles(pipeline, 1) == latency_cycles(pipeline)
        assert run.cycles >= latency_cycles(pipeline) and run.cycles >= ITEMS * pipeline.interval_cycles

    @settings(max_examples=examples(40), deadline=None)
    @given(pipelines())
    def test_one_place_less_delays_a_maker_or_stops(self, pipeline: Pipeline) -> None:
        depths = fifo_depths(pipeline, ITEMS)
        free = run_network(program(pipeline, depths, ITEMS), CLUSTER)
        for tensor in depths:
            fewer = program(pipeline, depths | {tensor: depths[tensor] - 1}, ITEMS)
            if depths[tensor] == 1:
                with pytest.raises(DeadlockError, match="deadlock"):
                    run_network(fewer, CLUSTER)
                continue
            tight = run_network(fewer, CLUSTER)
            assert any(a.start > b.start for a, b in zip(tight.spans, free.spans, strict=True))

    def test_a_skip_needs_as_many_places_as_stages(self) -> None:
        stages = tuple(Stage(f"core{i}", ((f"op{i}", 10),)) for i in range(4))
        tensors = (("a", "op0", ("op1", "op3")), ("b", "op1", ("op2",)), ("c", "op2", ("op3",)))
        depths = fifo_depths(Pipeline(stages, tensors), 8)
        assert depths == {"a": 4, "b": 2, "c": 2}


def test_a_deadlock_names_who_waits_on_what() -> None:
    stages = (Stage("core0", (("a", 3),)), Stage("core1", (("b", 4),)))
    with pytest.raises(
        DeadlockError,
        match=r"^network run of 'pipeline': deadlock, 4 of 4 tasks never start\n"
        r"  core 'core0' stands at 'a item 0', which waits for 'b item 0' on core 'core1'\n"
        r"  core 'core1' stands at 'b item 0', which waits for 'a item 0' on core 'core0'$",
    ):
        run_network(program(Pipeline(stages, (("t", "a", ("b",)),)), {"t": 0}, 2), CLUSTER)


def test_a_reader_before_its_maker_is_refused() -> None:
    stages = (Stage("core0", (("a", 3),)), Stage("core1", (("b", 4),)))
    with pytest.raises(InputError, match=r"^pipeline: 'a' reads 't' before or beside its maker 'b'; put it later$"):
        Pipeline(stages, (("t", "b", ("a",)),))
