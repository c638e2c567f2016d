"""The residency model against every choice of small networks, and its laws.

Test classes: equal to brute force; laws; execution of every policy.
"""

from __future__ import annotations

from itertools import product

import pytest

from hw_models.cluster_description import load_cluster
from mappers.network.cost import Option, best_option
from mappers.network.graph import OperatorGraph, make_graph
from mappers.network.keep import KeepModel, keep_tensors
from mappers.network.lower import lower_plan
from mappers.network.place_all import place_all
from mappers.network.residency import nothing_stays
from mappers.solver import SolveOptions
from sim.network.result import simulate_network
from workloads.builder import NetworkBuilder
from workloads.errors import InfeasibleError
from workloads.zoo import load

CLUSTER = load_cluster("edge_int8")


def small(kind: int) -> OperatorGraph:
    """Return a chain, a residual block or two branches of a few operators."""
    b = NetworkBuilder(f"small{kind}", "test")
    x = b.input("image", (1, 8, 12, 12))
    if kind == 0:
        for _ in range(3):
            x = b.relu(b.conv(x, 8, 3, padding=1))
    elif kind == 1:
        y = b.conv(b.relu(b.conv(x, 16, 3, padding=1)), 8, 1)
        x = b.relu(b.add(y, x))
    else:
        x = b.concat(b.conv(x, 8, 1), b.conv(x, 16, 3, padding=1))
        x = b.conv(x, 4, 1)
    return make_graph(b.build(x), CLUSTER.cores[0])


def options_of(graph: OperatorGraph) -> dict[str, Option]:
    return {op.name: best_option(graph, op, CLUSTER.cores[0]) for op in graph.operators}


def brute_bytes(graph: OperatorGraph, options: dict[str, Option], capacity: int) -> int | None:
    """Return the least DRAM bytes over every choice of what is resident at every touch, counted step by step."""
    steps = range(len(graph.operators))
    touch = {name: [t for t in steps if name in graph.operands(graph.operators[t])] for name in graph.bytes_of}
    made = {op.output for op in graph.operators}
    gaps = [(name, i) for name in touch for i in range(len(touch[name]) - 1)]
    loads = [(name, i) for name in touch for i in range(len(touch[name])) if i or name not in made]
    best: int | None = None
    for bits in product((0, 1), repeat=len(gaps) + len(loads)):
        kept = dict(zip(gaps, bits, strict=False))
        loaded = dict(zip(loads, bits[len(gaps) :], strict=True))
        total, held, legal = 0, [0] * len(steps), True
        for name, at in touch.items():
            stored = name in graph.outputs
            for i, t in enumerate(at):
                option = options[graph.operators[t].name]
                before, after, here = kept.get((name, i - 1), 0), kept.get((name, i), 0), loaded.get((name, i), 0)
                fresh = name in made and i == 0
                inside = before or here or (fresh and after)
                if not fresh:
                    legal &= not (before and here) and not (after and not before and not here)
                    stored |= name in made and not before
                    total += 0 if before else graph.bytes_of[name] if here else option.reads(name)
                    early = t - 1 if t and (not i or at[i - 1] < t - 1) else t
                    if here and early < t:
                        held[early] += graph.bytes_of[name]
                held[t] += graph.bytes_of[name] if inside else dict(option.stage_bytes).get(name, 0)
                if after:
                    for between in range(t + 1, at[i + 1]):
                        held[between] += graph.bytes_of[name]
            total += graph.bytes_of[name] if stored and name in made else 0
        if legal and max(held) <= capacity:
            best = total if best is None else min(best, total)
    return best


class TestBruteForce:
    @pytest.mark.parametrize("kind", range(3))
    @pytest.mark.parametrize("capacity", [1 << 10, 1400, 2600, 4 << 10, 1 << 20])
    def test_equal(self, kind: int, capacity: int) -> None:
        graph = small(kind)
        options = options_of(graph)
        wanted = brute_bytes(graph, options, capacity)
        order = range(len(graph.operators))
        if wanted is None:
            with pytest.raises(InfeasibleError, match=r"capacity\[shared\] needs"):
                KeepModel(graph, order, options, capacity)
            return
        model = KeepModel(graph, order, options, capacity)
        found = model.model.solve(SolveOptions(), model.start())
        assert found.status == "optimal" and round(found.objective or 0) == wanted
        assert model.moved_bytes(found.values) == wanted


class TestLaws:
    def test_bytes_fall_with_capacity_and_the_run_moves_them(self) -> None:
        graph = make_graph(load("tiny_ic"), CLUSTER.cores[0])
        options = options_of(graph)
        last = None
        for capacity in (64 << 10, 128 << 10, 512 << 10):
            plan = keep_tensors(graph, range(len(graph.operators)), options, capacity)
            assert plan.value is not None and plan.bound is not None and plan.value >= plan.bound - 1e-6
            assert last is None or plan.value <= last
            last = plan.value
            result = simulate_network(lower_plan(graph, "one", capacity, plan, options), CLUSTER, {}, {})
            assert result.totals.dram_read_bytes + result.totals.dram_write_bytes == plan.value

    @pytest.mark.parametrize("policy", ["ilp", "belady", "lru", "greedy", "arena"])
    def test_every_placement_policy_is_executed(self, policy: str) -> None:
        graph = make_graph(load("tiny_ic"), CLUSTER.cores[0])
        options = options_of(graph)
        capacity = 2 * graph.required_bytes
        plan = place_all(graph, capacity, policy, 20.0)
        result = simulate_network(lower_plan(graph, "one", capacity, plan, options), CLUSTER, {}, {})
        compulsory = sum(op.weight_bytes for op in graph.operators)
        compulsory += sum(graph.bytes_of[name] for name in (*graph.sources, *graph.outputs))
        moved = result.totals.dram_read_bytes + result.totals.dram_write_bytes
        assert moved == compulsory + (plan.value or 0)
        assert all(check.ok for check in result.checks)

    def test_nothing_stays_is_what_the_options_stream(self) -> None:
        graph = small(1)
        options = options_of(graph)
        result = simulate_network(lower_plan(graph, "one", 1 << 20, nothing_stays(graph), options), CLUSTER, {}, {})
        read = sum(size for option in options.values() for _, size in option.read_bytes)
        assert result.totals.dram_read_bytes == read
        assert result.totals.dram_write_bytes == sum(option.written_bytes for option in options.values())
