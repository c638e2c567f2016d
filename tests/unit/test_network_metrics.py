"""What a cluster's result counts: its cores are single machines to the cycle, sums hold, windows equal a naive twin."""

from __future__ import annotations

import json
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hw_models.cluster_description import load_cluster
from mappers.network.graph import make_graph
from mappers.network.layered import assign_cores, core_options
from mappers.network.lower import lower_plan
from mappers.network.program import Compute, Load, NetworkProgram, Region, Store
from mappers.network.residency import nothing_stays
from mappers.plan import make_plan
from sim.attribution import attribute
from sim.energy import count, energy_pj
from sim.machine import run_program
from sim.network.cores import most_live, run_cores
from sim.network.engine import run_network
from sim.network.over_time import network_over_time
from sim.network.result import simulate_network
from sim.network.rows import INSIDE
from sim.pe_map import pe_macs
from sim.simulation import build_result
from tests.property.test_lower_mac import networks
from tests.reference.profile import examples
from tilewright.cli import run
from tilewright.networks import simulate_network as simulate_named
from tilewright.sources import load_workload
from workloads.errors import InfeasibleError, InputError
from workloads.network import Network

BANKS = ["core.input.banks.count=128", "core.input.banks.word=1B", "core.input.banks.layout=planar"]
SPARSE = ["core.sparsity.n=2", "core.sparsity.m=4"]
ENGINES = ["core.dma.descriptor_dimensions=1", "core.dma.descriptor=6cycles", "core.dma.max_burst=256B"]
MACHINES = {
    "plain": [],
    "banks": BANKS,
    "sparse": SPARSE,
    "dma": [*ENGINES, "core.dma.requests=4"],
    "host": ["core.dma.host.interval=20cycles", "core.dma.host.depth=4"],
    "link": ["core.link.width=16B/cycle", "core.link.delay=4cycles"],
    "one buffer": ["core.input.buffers=1", "core.weight.buffers=1"],
    "three buffers": ["core.input.buffers=3"],
}


@pytest.mark.parametrize("name", MACHINES)
def test_a_cluster_of_one_core_is_the_single_machine(name: str) -> None:
    """Its memory being the port: cycles of every operator, causes, energy and MACs per PE are the same."""
    core = load_cluster("edge_int8", MACHINES[name]).cores[0]
    plan = make_plan(load_workload("lenet", None).network, core, "latency", keep_on_chip=False)
    alone = run_program(plan.program, core)
    times = attribute(plan.program, alone, core)
    energies = [energy_pj(ledger, core) for ledger in count(plan.program, core)]
    planes = pe_macs(plan.program, core)
    made = simulate_named("lenet", "edge_int8", tensors="none", overrides=MACHINES[name]).result
    assert made.cores[0].alone_cycles == made.cores[0].busy_cycles == alone.cycles
    assert len(made.operators) == len(times)
    for row, time, energy in zip(made.operators, times, energies, strict=True):
        assert row.compute_cycles == time.cycles
        causes = {INSIDE.get(cause, cause): cycles for cause, cycles in time.stall_cycles.items() if cycles}
        assert row.inside_cycles == {"compute": time.compute_cycles, **causes}
        parts = {"port" if part == "dram" else part: float(pj) for part, pj in energy.items() if pj}
        assert {part: pj for part, pj in row.energy_pj.items() if pj} == parts
    assert planes is not None
    for row, plane in zip(made.operators, planes, strict=True):
        assert sum(map(sum, row.pe_macs or [])) == int(plane.sum()) == row.macs
    if name == "banks":
        assert made.cores[0].inside_cycles["bank_conflict"] > 0
    if name == "host":
        assert made.cores[0].inside_cycles["host"] > 0


@settings(max_examples=examples(12), deadline=None)
@given(networks(), st.sampled_from(sorted(MACHINES)))
def test_a_random_layer_takes_what_it_takes_on_the_single_machine(network: Network, name: str) -> None:
    cluster = load_cluster("edge_int8", MACHINES[name])
    core = cluster.cores[0]
    try:
        plan = make_plan(network, core, "latency", keep_on_chip=False)
    except InfeasibleError:
        assume(False)
    graph = make_graph(network, core)
    options = assign_cores(graph, core_options(graph, cluster))
    works = [options[op.name].work for op in graph.operators]
    mine = [piece.mapping.loops for work in works if work is not None for piece in work.pieces]
    assume(mine == [part.mapping("core0").loops for group in plan.groups for part in group.parts])
    capacity = cluster.shared.capacity_bytes
    program = lower_plan(graph, cluster.name, capacity, nothing_stays(graph), options, cores=cluster.cores)
    alone = run_program(plan.program, core)
    own = run_cores(program, cluster)[core.core.name]
    assert own.cycles == alone.cycles
    assert [time.cycles for time in own.times] == [time.cycles for time in attribute(plan.program, alone, core)]
    made = simulate_network(program, cluster, {}, {})
    assert all(check.ok for check in made.checks)


def test_utilisation_of_an_operator_is_that_of_the_single_machine() -> None:
    core = load_cluster("edge_int8").cores[0]
    plan = make_plan(load_workload("lenet", None).network, core, "latency", keep_on_chip=False)
    alone = run_program(plan.program, core)
    from sim.result import LayerAnnotation

    notes = [LayerAnnotation(None, None, None, None, "core") for _ in plan.program.layers]
    result = build_result(plan.program, alone, core, {}, notes, {}, ())
    made = simulate_named("lenet", "edge_int8", tensors="none").result
    assert [row.utilisation for row in made.operators] == [layer.utilisation for layer in result.layers]


@pytest.mark.parametrize(
    "execution",
    [pytest.param("layers", marks=pytest.mark.nightly), "split", "fused", "pipeline", "batch"],
)
def test_parts_sum_to_the_whole(execution: str) -> None:
    items = 3 if execution in ("pipeline", "batch") else 1
    made = simulate_named("tiny_ic", "quad_edge", execution=execution, items=items).to_json()
    cycles, total = made["totals"]["cycles"], made["totals"]["energy_pj"]
    for key in ("energy_pj", "component_pj", "operand_pj"):
        assert sum(made[key].values()) == pytest.approx(total, rel=1e-12)
    own = sum(sum(row["energy_pj"].values()) for row in made["operators"])
    assert own == pytest.approx(made["energy_pj"]["cores"], rel=1e-12)
    for row in made["operators"]:
        assert sum(row["inside_cycles"].values()) == row["compute_cycles"]
        assert sum(row["operand_pj"].values()) == pytest.approx(sum(row["energy_pj"].values()), rel=1e-12)
        assert row["array_macs"] >= row["macs"] and 0 <= row["utilisation"] <= 1
    for core in made["cores"]:
        assert sum(core["inside_cycles"].values()) == core["busy_cycles"]
        assert core["busy_cycles"] + core["idle_cycles"] + sum(core["stall_cycles"].values()) == cycles
        rows = [row for row in made["operators"] if row["core"] == core["name"]]
        assert core["macs"] == sum(row["macs"] for row in rows)
        assert sum(map(sum, core["pe_regions"]["macs"])) == sum(row["array_macs"] for row in rows)
    series = made["over_time"]
    for way in ("read", "write"):
        assert sum(series[f"{way}_bytes"]["dram"]) == made["totals"][f"dram_{way}_bytes"]
        for level in ("port", "input", "weight", "accumulator", "staging"):
            moved = sum(flow[way] for row in made["operators"] for flow in row["traffic_bytes"][level].values())
            assert sum(series[f"{way}_bytes"][level]) == moved
    for core in made["cores"]:
        for memory, peak in core["peak_bytes"].items():
            assert max(series["core_bytes"][core["name"]][memory]) == peak
    assert max(series["occupied_bytes"]) <= made["totals"]["peak_scratchpad_bytes"]
    assert all(sum(series["busy_cycles"][core["name"]]) == core["busy_cycles"] for core in made["cores"])


@settings(max_examples=examples(60), deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 40), st.sampled_from("ab"), st.integers(0, 9)), max_size=12),
    st.lists(st.integers(0, 12), min_size=1, max_size=6),
)
def test_what_is_live_in_a_window_is_that_of_its_cycles(drawn: list[tuple[int, str, int]], lengths: list[int]) -> None:
    changes = sorted(drawn, key=lambda change: change[0])
    edges = [sum(lengths[:n]) for n in range(len(lengths) + 1)]
    windows = list(pairwise(edges))
    for (start, end), found in zip(windows, most_live(changes, windows), strict=True):
        for memory, most in found.items():
            at = [
                next((held for cycle, name, held in reversed(changes) if name == memory and cycle <= now), 0)
                for now in range(start, end)
            ]
            assert most == max(at, default=0)


def twin(moves: list[tuple[int, int, int]], size: int, count: int) -> list[int]:
    """Return, cycle by cycle, what `moves` (bytes, start, end) put into each window."""
    windows = [0] * count
    for whole, start, end in moves:
        if start == end:
            windows[min(start // size, count - 1)] += whole
        for cycle in range(start, end):
            passed = whole * (cycle + 1 - start) // (end - start) - whole * (cycle - start) // (end - start)
            windows[min(cycle // size, count - 1)] += passed
    return windows


@settings(max_examples=examples(60), deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 40), st.integers(0, 900), st.integers(0, 900)), min_size=1, max_size=5),
    st.integers(0, 700),
    st.integers(1, 50),
)
def test_windows_are_those_of_a_walk_over_cycles(computes: list[tuple[int, int, int]], size: int, windows: int) -> None:
    """Streams, a load and a store of random sizes on two cores; the walk knows nothing of windows' edges."""
    cluster = load_cluster("quad_edge")
    regions = [Region("x", 0, max(1, size)), Region("y", 1024, 512)]
    tasks: list[Any] = [Load("x", "fetch", max(1, size), 0, ())]
    for number, (cycles, given_in, out) in enumerate(computes):
        streams = ((("a", given_in),) if given_in else (), (("b", out),) if out else ())
        tasks.append(
            Compute(
                *("op", f"core{number % 2}", cycles, Fraction(1), 0, (0,) if not number else (), (), ()),
                *streams,
                (0,) if not number else (),
            )
        )
    last = len(tasks)
    tasks.append(Compute("end", "core0", 3, Fraction(1), 0, (), (1,), (), (), (), ()))
    tasks.append(Store("y", "output", 512, 1, (last,)))
    program = NetworkProgram("hand", cluster.name, tuple(tasks), tuple(regions), 1 << 20)
    made = run_network(program, cluster)
    series = network_over_time(program, made, {}, cluster.core_names, windows)
    count = len(series.bus_cycles)
    assert count <= windows and (count - 1) * series.window_cycles < made.cycles <= count * series.window_cycles
    spans = list(zip(tasks, made.spans, strict=True))
    for core in cluster.core_names:
        own = [(t.cycles, s.start, s.end) for t, s in spans if isinstance(t, Compute) and t.core == core]
        assert series.busy_cycles[core] == twin(own, series.window_cycles, count)
    shared_in = [(t.size_bytes, s.start, s.done) for t, s in spans if isinstance(t, Load)]
    shared_in += [(n, s.start, s.end) for t, s in spans if isinstance(t, Compute) for _, n in t.stream_in]
    assert series.write_bytes["shared"] == twin(shared_in, series.window_cycles, count)
    shared_out = [(t.size_bytes, s.start, s.done) for t, s in spans if isinstance(t, Store)]
    shared_out += [(n, s.start, s.done) for t, s in spans if isinstance(t, Compute) for _, n in t.stream_out]
    assert series.read_bytes["shared"] == twin(shared_out, series.window_cycles, count)
    assert [sum(series.read_bytes["dram"]), sum(series.write_bytes["dram"])] == made.moved_bytes
    live = [0] * (made.cycles + 1)
    for cycle in range(made.cycles + 1):
        live[cycle] = [bytes_ for at, bytes_ in made.memory.timeline if at <= cycle][-1]
    edges = range(0, made.cycles, series.window_cycles)
    assert series.occupied_bytes == [max(live[edge : min(edge + series.window_cycles, made.cycles)]) for edge in edges]


def test_closed_forms_are_still_there_and_say_what_they_leave_out(tmp_path: Path) -> None:
    words = ["sim", "tiny_ic", "--arch", "quad_edge", "--execution", "split", "--operators"]
    results = {}
    for kind in ("tiles", "closed"):
        assert run([*words, kind, "-o", str(tmp_path / f"{kind}.json")]) == 0
        results[kind] = json.loads((tmp_path / f"{kind}.json").read_text())
    assert results["closed"]["totals"]["cycles"] != results["tiles"]["totals"]["cycles"]
    assert results["closed"]["not_modelled"][0].startswith("tiles inside an operator")
    assert not any(row["inside_cycles"] for row in results["closed"]["operators"])
    assert "--operators closed" in results["closed"]["manifest"]["redo"]
    key = ("traffic_bytes", "energy_pj", "pe_macs", "macs")
    for closed, tiles in zip(results["closed"]["operators"], results["tiles"]["operators"], strict=True):
        assert [closed[k] for k in key] == [tiles[k] for k in key]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            [
                "--operators",
                "closed",
                "--set",
                "cores.core.link.width=16B/cycle",
                "--set",
                "cores.core.link.delay=1cycle",
            ],
            "leaves link of core 'core0' out",
        ),
        (["--operators", "open"], "--operators 'open' is unknown; use one of tiles, closed"),
        (["--set", "core1.core.sparsity.n=1", "--set", "core1.core.sparsity.m=2"], "weights that are 1:2 and dense"),
    ],
)
def test_bad_input(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sim", "tiny_ic", "--arch", "quad_edge", *words]) == 2
    assert says in capsys.readouterr().err


def test_bad_windows_and_cores_without_commands() -> None:
    made = simulate_named("lenet", "edge_int8", tensors="none").result
    with pytest.raises(InputError, match=r"windows is 0, bound is 1\.\.10000"):
        network_over_time(made.program, made.run, {}, ["core0"], 0)
    with pytest.raises(InputError, match=r"core '.*' is row_stationary, which runs in passes and has no commands"):
        load_cluster("eyeriss_v1")


def test_cores_are_chosen_by_what_commands_take_where_closed_forms_are_blind(monkeypatch: pytest.MonkeyPatch) -> None:
    """One core of three has few banks: the layer mapper's bound does not see that, its commands do."""
    few = ["big.core.input.banks.count=64", "big.core.input.banks.word=1B"]

    def cycles() -> int:
        return simulate_named("lenet", "hetero_edge", tensors="none", overrides=few).result.totals.cycles

    seen = cycles()
    monkeypatch.setattr("tilewright.network_times.by_commands", lambda graph, cluster, options: options)
    assert seen < cycles()
