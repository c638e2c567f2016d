"""The search against brute force, the closed forms against a walk over every tile."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.accelerator import Accelerator
from mappers.cost import LayerCost
from mappers.mapping import RELEVANT, TILED_DIMS, Mapping, TileLoop
from mappers.problem import TileProblem
from mappers.replay import replay_bytes
from mappers.search import Found, search
from mappers.search_orders import ROLES, orders_of
from tests.reference.brute_force_mapper import Walker, allowed_tiles, brute_force
from tests.reference.mapper_problems import machines, problems
from tests.reference.profile import examples
from workloads.errors import Infeasible


@settings(max_examples=examples(300))
@given(machine=machines(), problem=problems(most_loops=4), data=st.data())
def test_closed_forms_equal_the_walk(machine: Accelerator, problem: TileProblem, data: st.DataObject) -> None:
    tiles = {d: data.draw(st.sampled_from(allowed_tiles(problem, d)), label=d) for d in TILED_DIMS}
    order = tuple(data.draw(st.permutations([d for d in TILED_DIMS if problem.size[d] > 1])))
    flow = machine.core.array.dataflows[0]
    cost = LayerCost(problem, machine, flow, {d: (tiles[d],) for d in TILED_DIMS})
    walker = Walker(problem, machine)
    ix = {d: np.zeros(1, dtype=np.int64) for d in TILED_DIMS}
    rows, cuts = [], []
    for role, closed, walk in (
        ("I", cost.input_cost, walker.input),
        ("W", cost.weight_cost, walker.weight),
        ("O", cost.output_cost, walker.output),
    ):
        cut = data.draw(st.integers(0, len(order)), label=f"cut {role}")
        cuts.append(cut)
        outside = order[:cut]
        at = {d: ix[d] if d in outside and d in RELEVANT[role] else ix[d] + cost.axes[d].whole for d in TILED_DIMS}
        repeat = 1
        for depth, dim in enumerate(outside):
            moving = any(tiles[d] < problem.size[d] for d in outside[depth:] if d in RELEVANT[role])
            if dim not in RELEVANT[role] and moving:
                repeat *= -(-problem.size[dim] // tiles[dim])
        got, want = closed(at, np.array([repeat])), walk(tiles, outside)
        ends = want.first_load_beats if role != "O" else want.last_store_beats
        assert bool(got.fits[0]) == want.fits
        assert (got.bytes[0], got.load_beats[0], got.store_beats[0], got.loads[0], got.stores[0], got.end_beats[0]) == (
            want.bytes, want.load_beats, want.store_beats, want.loads, want.stores, ends,
        )  # fmt: skip
        assert (got.vector_cycles[0], got.last_vector_cycles[0]) == (want.vector_cycles, want.last_vector_cycles)
        assert got.energy_pj[0] == pytest.approx(float(want.energy_pj), rel=1e-12)
        rows.append((got, want))
    loops = tuple(TileLoop(d, problem.size[d], tiles[d]) for d in order)
    replayed = replay_bytes(problem, Mapping("layer", "core", flow, loops, tuple(zip("IWO", cuts, strict=True))))
    assert replayed == sum(want.bytes for _, want in rows)
    array = walker.array_time(tiles, flow)
    assert (cost.array_cycles(ix)[0], cost.last_job_cycles(ix)[0]) == array
    assert cost.fixed_energy_pj(ix)[0] == pytest.approx(float(walker.energy(tiles, flow)), rel=1e-12)
    latency = cost.latency(cost.array_cycles(ix), cost.last_job_cycles(ix), *(got for got, _ in rows))
    exact = walker.latency(flow, array, *(want for _, want in rows))
    assert latency[0] == exact * cost.units // 1


@pytest.mark.parametrize("objective", ["latency", "energy", "edp"])
@settings(max_examples=examples(50))
@given(machine=machines(), problem=problems())
def test_search_equals_brute_force(objective: str, machine: Accelerator, problem: TileProblem) -> None:
    found, best = search(problem, machine, objective), brute_force(problem, machine, objective)
    if best is None:
        assert isinstance(found, Infeasible) and found.demand > found.bound
        return
    assert isinstance(found, Found)
    assert found.certificate.proven_optimal and found.certificate.bound == found.certificate.value
    assert found.certificate.value == pytest.approx(float(best.value), rel=1e-12)
    if objective == "latency":
        units = LayerCost(problem, machine, found.dataflow).units
        assert round(found.certificate.value * units) == int(best.value * units)
        # Of two mappings of one value, one may be slower and charged less; either is the optimum.
        assert found.dram_bytes == best.dram_bytes
        assert found.latency_cycles <= -(-best.value // 1)


def test_every_order_and_cut_has_its_class() -> None:
    orders = orders_of(("K", "C", "OY", "OX"))
    assert orders.mappings == 24 * 5**3
    assert len(orders.witness) == len(orders.triples) == len({tuple(t) for t in orders.triples.tolist()})
    for triple, (order, cuts) in zip(orders.triples.tolist(), orders.witness, strict=True):
        for index, role, cut in zip(triple, ROLES, cuts, strict=True):
            seen = orders.classes[ROLES.index(role)][index]
            assert set(seen.outside) == {d for d in order[:cut] if d in RELEVANT[role]}
