"""The ranking starts with the search's best, states what each mapping costs, and leaves out nothing better."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.accelerator import Accelerator
from mappers.given import price
from mappers.mapping import TILED_DIMS, Mapping, TileLoop
from mappers.plan import make_plan
from mappers.problem import TileProblem
from mappers.runners_up import _Ranking, best_mappings
from mappers.search import OBJECTIVES, Found, search
from tests.reference.brute_force_mapper import minimal_tiles
from tests.reference.mapper_problems import EDGE, machines, problems
from tests.reference.profile import examples
from workloads.builder import NetworkBuilder
from workloads.errors import InputError


@settings(max_examples=examples(25))
@given(machine=machines(), problem=problems(), objective=st.sampled_from(OBJECTIVES), data=st.data())
def test_the_ranking_is_what_it_says(
    machine: Accelerator, problem: TileProblem, objective: str, data: st.DataObject
) -> None:
    most = data.draw(st.sampled_from((1, 3, 10)))
    ranked = best_mappings(problem, machine, objective, most, "layer", "core")
    found = search(problem, machine, objective)
    if not isinstance(found, Found):
        assert not ranked
        return
    values = [value for value, _ in ranked]
    assert values == sorted(values) and values[0] == found.certificate.value and len(ranked) <= most

    longer = best_mappings(problem, machine, objective, 256, "layer", "core")
    assert ranked == longer[:most]

    def tiling(mapping: Mapping) -> tuple[object, ...]:
        return mapping.dataflow, tuple(mapping.tile(d, problem.size[d]) for d in TILED_DIMS)

    for value, mapping in ranked:
        assert price(problem, machine, mapping, objective).certificate.value == pytest.approx(value, rel=1e-12)
    known = {tiling(mapping): value for value, mapping in ranked}
    assert len(known) == len(ranked)
    flow = data.draw(st.sampled_from(machine.core.array.dataflows))
    beat = machine.dram.beat_bytes
    for _ in range(6):
        tiles = {
            d: data.draw(st.sampled_from(minimal_tiles(problem, machine.core.array, flow, beat, d))) for d in TILED_DIMS
        }
        loops = [TileLoop(d, problem.size[d], tiles[d]) for d in TILED_DIMS if tiles[d] < problem.size[d]]
        order = tuple(data.draw(st.permutations(loops)))
        cuts = tuple((role, data.draw(st.integers(0, len(order)))) for role in "IWO")
        other = Mapping("layer", "core", flow, order, cuts)
        try:
            cost = price(problem, machine, other, objective).certificate.value
        except InputError:
            continue
        least = known.get(tiling(other), values[-1] if len(ranked) == most else float("inf"))
        assert cost >= least * (1 - 1e-12)


def test_no_mapping_and_too_many_are_refused() -> None:
    with pytest.raises(InputError, match=r"0 mappings asked for, bound is 1\.\.256"):
        best_mappings(None, EDGE, "latency", 0, "layer", "core")  # type: ignore[arg-type]


def test_nothing_that_belongs_among_the_best_is_pruned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against the same ranking without any bound, on a layer with more tilings than are evaluated at once."""
    b = NetworkBuilder("layer", "layer")
    network = b.build(b.conv(b.input("x", (1, 24, 12, 12)), 40, 3, padding=1, name="layer"))
    problem = make_plan(network, EDGE, keep_on_chip=False).groups[0].parts[0].problem
    ranked = best_mappings(problem, EDGE, "latency", 12, "layer", "core")
    monkeypatch.setattr(_Ranking, "full", property(lambda self: False))
    assert best_mappings(problem, EDGE, "latency", 12, "layer", "core") == ranked
