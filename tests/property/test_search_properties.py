"""Of any search: more room never hurts, same input gives the same legal answer, proofs are not overstated."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.accelerator import Accelerator
from hw_models.description import load_accelerator
from mappers import search as search_module
from mappers import search_space
from mappers.legality import check_mapping
from mappers.mapping_yaml import dump_mapping, load_mapping
from mappers.problem import TileProblem
from mappers.search import MAP_SPACE, Found, search
from tests.reference.mapper_problems import machines, problems
from tests.reference.profile import examples
from workloads.errors import Infeasible

SLOTS = ("input_slot_bytes", "weight_slot_bytes", "sum_slot_bytes", "operand_slot_bytes", "output_slot_bytes")
OBJECTIVES = st.sampled_from(("latency", "energy", "edp"))


@settings(max_examples=examples(80))
@given(machine=machines(), problem=problems(4), objective=OBJECTIVES, slot=st.sampled_from(SLOTS))
def test_a_bigger_slot_never_worsens_the_optimum(
    machine: Accelerator, problem: TileProblem, objective: str, slot: str
) -> None:
    bigger = replace(problem, **{slot: 2 * getattr(problem, slot) + 7})  # type: ignore[arg-type]
    before, after = search(problem, machine, objective), search(bigger, machine, objective)
    if isinstance(before, Found):
        assert isinstance(after, Found)
        assert after.certificate.value <= before.certificate.value


@settings(max_examples=examples(80))
@given(machine=machines(), problem=problems(4), objective=OBJECTIVES)
def test_more_bandwidth_never_worsens_the_optimum(machine: Accelerator, problem: TileProblem, objective: str) -> None:
    dram = replace(machine.dram, bytes_per_cycle=2 * machine.dram.bytes_per_cycle)
    before, after = search(problem, machine, objective), search(problem, replace(machine, dram=dram), objective)
    if isinstance(before, Found) and isinstance(after, Found):
        assert after.certificate.value <= before.certificate.value


@settings(max_examples=examples(100))
@given(machine=machines(), problem=problems(4), objective=OBJECTIVES)
def test_answers_are_legal_repeatable_and_survive_yaml(
    machine: Accelerator, problem: TileProblem, objective: str
) -> None:
    found = search(problem, machine, objective)
    search_module._FOUND.clear()
    assert search(problem, machine, objective) == found
    if isinstance(found, Infeasible):
        assert found.demand > found.bound and found.levers
        return
    mapping = found.mapping("layer", "core")
    assert check_mapping(problem, mapping, machine.core.array) == ()
    assert load_mapping(dump_mapping(mapping)) == mapping
    nest = mapping.nest(problem, machine.core.array)
    group = [""] if problem.places > 1 else []
    assert [line.axis for line in nest if line.kind == "spatial"] == [*group, "rows", "cols"]
    for line, loop in zip(nest, mapping.loops, strict=False):
        assert (line.size - 1) * loop.tile + line.remainder == problem.size[loop.dim]
    lanes = prod(line.size for line in nest if line.kind == "spatial")
    assert 1 <= lanes <= machine.core.array.pes * problem.places


@settings(max_examples=examples(40))
@given(machine=machines(), problem=problems(4), objective=OBJECTIVES)
def test_batches_and_chunks_change_nothing(machine: Accelerator, problem: TileProblem, objective: str) -> None:
    expected = search(problem, machine, objective)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search_module, "FIRST_BATCH", 3)
        patch.setattr(search_module, "LARGEST_BATCH", 5)
        patch.setattr(search_space, "CELLS", 64)
        patch.setattr(search_space, "FIRST_CHUNK", 1)
        assert search_module._search(problem, machine, objective) == expected


@settings(max_examples=examples(40))
@given(machine=machines(), problem=problems(4), objective=OBJECTIVES)
def test_a_thinned_space_claims_no_optimum(machine: Accelerator, problem: TileProblem, objective: str) -> None:
    full = search(problem, machine, objective)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search_space, "MAX_COMBINATIONS", 12)
        thin = search_module._search(problem, machine, objective)
    if isinstance(thin, Found) and isinstance(full, Found) and thin.certificate.map_space != MAP_SPACE:
        assert not thin.certificate.proven_optimal
        assert thin.certificate.bound <= full.certificate.value <= thin.certificate.value
        assert 0 <= thin.certificate.gap < 1


@settings(max_examples=examples(5))
@given(problem=problems())
def test_equal_problems_are_solved_once(problem: TileProblem) -> None:
    machine = load_accelerator("edge_int8")
    assert search(problem, machine) is search(replace(problem), machine)
