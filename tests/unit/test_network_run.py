"""The network-level event model: times by hand, laws, wrong programs, and every execution of a small network.

Test classes: times by hand; programs that are wrong; executions; the same input gives the same bytes.
"""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest

from hw_models.cluster_description import load_cluster
from mappers.network.program import Compute, Load, NetworkProgram, Region, Store, Task
from sim.network.engine import CHUNK_BYTES, run_network
from sim.network.trace import write_network_trace
from tilewright.networks import EXECUTIONS, simulate_network
from workloads.errors import InputError, InternalError

CLUSTER = load_cluster("quad_edge")
RATE, LATENCY = int(CLUSTER.dram.bytes_per_cycle), CLUSTER.dram.latency_cycles


def compute(core: str, cycles: int, **fields: object) -> Compute:
    base = Compute("op", core, cycles, Fraction(1), 0, (), (), (), (), (), ())
    return replace(base, **fields)  # type: ignore[arg-type]


def run(tasks: list[Task], regions: list[Region] | None = None, capacity: int = 1 << 20):  # type: ignore[no-untyped-def]
    return run_network(NetworkProgram("hand", CLUSTER.name, tuple(tasks), tuple(regions or ()), capacity), CLUSTER)


class TestByHand:
    def test_cores_work_side_by_side_and_each_in_order(self) -> None:
        made = run([compute("core0", 10), compute("core1", 7), compute("core0", 5), compute("core1", 20, after=(2,))])
        assert [(s.start, s.end) for s in made.spans] == [(0, 10), (0, 7), (10, 15), (15, 35)]
        assert made.spans[3].waits == {"operand of core0": 8}

    def test_a_load_takes_latency_and_beats(self) -> None:
        size = 4 * RATE
        made = run(
            [Load("x", "fetch", size, 0, ()), compute("core0", 3, reads=(0,), after=(0,))], [Region("x", 0, size)]
        )
        assert made.spans[0].done == LATENCY + 4
        assert made.spans[1].waits == {"fetch": LATENCY + 4}
        assert made.moved_bytes == [size, 0]

    def test_a_long_load_goes_in_chunks_back_to_back(self) -> None:
        size = 5 * CHUNK_BYTES
        made = run([Load("x", "fetch", size, 0, ())], [Region("x", 0, size)])
        assert made.cycles == LATENCY + size // RATE

    def test_a_store_ends_with_its_response(self) -> None:
        tasks = [compute("core0", 3, writes=(0,)), Store("x", "output", RATE, 0, (0,))]
        made = run(tasks, [Region("x", 0, RATE)])
        assert made.spans[1].done == 3 + 1 + 1 + LATENCY

    def test_a_stream_runs_under_the_computation(self) -> None:
        size = 16 * CHUNK_BYTES
        fast = run([compute("core0", 16 * 1000, stream_in=(("x", size),))])
        assert fast.cycles == LATENCY + CHUNK_BYTES // RATE + 16 * 1000
        slow = run([compute("core0", 16, stream_in=(("x", size),))])
        assert slow.cycles >= size // RATE + LATENCY

    def test_the_next_stream_starts_under_the_computation_before(self) -> None:
        size = CHUNK_BYTES
        two = run([compute("core0", 1000), compute("core0", 100, stream_in=(("x", size),))])
        assert two.cycles == 1100


class TestWrongPrograms:
    def test_overlap(self) -> None:
        regions = [Region("a", 0, 100), Region("b", 50, 100)]
        with pytest.raises(
            InternalError, match=r"'b' at 50\.\.150 of the shared scratchpad: it overlaps 'a' at 0\.\.100"
        ):
            run([compute("core0", 9, writes=(0,)), compute("core1", 9, writes=(1,))], regions)

    def test_read_before_complete(self) -> None:
        regions = [Region("a", 0, 100)]
        with pytest.raises(InternalError, match=r"'op' reads it before it is complete, at cycle 0; the plan is wrong$"):
            run([compute("core0", 9, writes=(0,)), compute("core1", 9, reads=(0,))], regions)

    def test_outside_the_scratchpad(self) -> None:
        with pytest.raises(InternalError, match=r"'a' at 10\.\.110 leaves the scratchpad of 100 bytes$"):
            run([compute("core0", 1, writes=(0,))], [Region("a", 10, 100)], 100)

    def test_unknown_task_and_core(self) -> None:
        with pytest.raises(InternalError, match=r"task 'op' waits for task 7$"):
            run([compute("core0", 1, after=(7,))])
        with pytest.raises(InternalError, match=r"task 'op' runs on 'core9', which is no core$"):
            run([compute("core9", 1)])


class TestExecutions:
    @pytest.mark.parametrize("execution", EXECUTIONS)
    def test_laws_hold_and_the_baseline_is_the_same(self, execution: str) -> None:
        items = 3 if execution in ("pipeline", "batch") else 1
        made = simulate_network("tiny_ic", "quad_edge", execution=execution, items=items)
        assert all(check.ok for check in made.result.checks) and len(made.result.checks) == 17
        assert made.result.totals.macs == items * made.baseline.totals.macs
        assert sum(made.result.energy_pj.values()) == pytest.approx(made.result.totals.energy_pj)
        data = made.to_json()
        assert data["schema"] == "tilewright.network/1" and data["baseline"]["totals"]["cycles"] > 0
        by_core: dict[str, list[tuple[int, int]]] = {}
        for row in made.result.operators:
            by_core.setdefault(row.core, []).append((row.start_cycle, row.end_cycle))
        assert all(a[1] <= b[0] for spans in by_core.values() for a, b in pairwise(spans))

    def test_a_pipeline_of_one_core_waits_for_tiles_on_their_way_to_dram(self) -> None:
        made = simulate_network("lenet", "edge_int8", execution="pipeline", items=3).result
        spans = dict(zip([getattr(task, "name", "") for task in made.program.tasks], made.run.spans, strict=True))
        for item in (0, 1):
            last, first = spans[f"output item {item}"], spans[f"c1 item {item + 1}"]
            assert last.end < last.done <= first.start

    def test_fused_moves_less_and_streams_save_time(self) -> None:
        fused = simulate_network("tiny_ic", "quad_edge", execution="fused", overrides=["dram.bandwidth=1.6GB/s"])
        layers = simulate_network("tiny_ic", "quad_edge", tensors="none", overrides=["dram.bandwidth=1.6GB/s"])
        moved = [t.dram_read_bytes + t.dram_write_bytes for t in (fused.result.totals, layers.result.totals)]
        assert moved[0] < moved[1] and fused.result.totals.cycles < layers.result.totals.cycles

    def test_unequal_cores(self) -> None:
        made = simulate_network("tiny_ic", "hetero_edge", execution="fused")
        assert {row.core for row in made.result.operators} <= {"big", "pixel", "dot"}
        with pytest.raises(InputError, match=r"^cluster 'hetero_edge': its cores differ, an operator is split over "):
            simulate_network("tiny_ic", "hetero_edge", execution="split")

    def test_messages(self) -> None:
        with pytest.raises(
            InputError, match=r"^execution 'fuse' is unknown; use one of layers, .*did you mean 'fused'"
        ):
            simulate_network("tiny_ic", "quad_edge", execution="fuse")
        with pytest.raises(InputError, match=r"^--items 2: bound is 1\.\.4096, and 1 unless the execution is pipeline"):
            simulate_network("tiny_ic", "quad_edge", items=2)
        with pytest.raises(InputError, match=r"^--plan-tensors joint: goes with --execution layers, not 'split'"):
            simulate_network("tiny_ic", "quad_edge", execution="split", tensors="joint")


def test_same_input_same_bytes(tmp_path: Path) -> None:
    texts, traces = [], []
    for turn in range(2):
        made = simulate_network("tiny_ic", "quad_edge", execution="fused")
        texts.append(json.dumps(made.to_json(), sort_keys=True))
        write_network_trace(made.result, tmp_path / f"{turn}.json")
        traces.append((tmp_path / f"{turn}.json").read_bytes())
    assert texts[0] == texts[1] and traces[0] == traces[1]
    events = json.loads(traces[0])["traceEvents"]
    assert {event["ph"] for event in events} == {"M", "X", "C"}
    port = [event["args"] for event in events if event["name"] == "port bytes per cycle"]
    series = made.result.over_time
    moved = sum(part["read"] for part in port) * series.window_cycles
    assert moved == pytest.approx(sum(series.read_bytes["port"]))
