"""No bound of the nest search lies above a nest; cases in which one did stay mended."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction

import pytest

from hw_models.hierarchy.tree import MemoryTree
from mappers.nests.cost import evaluate, violation
from mappers.nests.counts import COUNTINGS, Counting
from mappers.nests.mapping import NestMapping
from mappers.nests.objective import Objective
from mappers.nests.problem import NestProblem, ProblemTensor, problem_of_einsum
from mappers.nests.relaxed import _volume, relaxed_energy_pj
from mappers.nests.search import FoundNest, NestSearch, search_nest
from mappers.nests.spatial import Unrolling
from mappers.nests.views import Nest
from tests.reference.exhaustive_nests import exhaustive
from tests.reference.nest_cases import ROLES, random_nest, random_problem, random_tree
from tests.reference.profile import examples
from workloads.loop_nest import Axis


def _case(seed: int) -> tuple[NestProblem, MemoryTree, Counting]:
    draw = random.Random(seed)
    problem, tree = random_problem(draw, (1, 1, 1, 2, 2, 3)), random_tree(draw)
    return problem, tree, draw.choice(("timeloop", "zigzag"))


def test_gaps_between_strided_elements_are_not_counted_as_moved() -> None:
    """A whole tile spans the gaps of ``F + 2 C``; tiles of one element each do not, and move less than the tensor."""
    problem, tree, counting = _case(106)
    assert (2, "C") in problem.tensors[0].axes[1].terms and problem.sizes["C"] == 2
    reference = exhaustive(problem, tree, counting)
    assert reference is not None
    search = NestSearch(problem, tree, Objective(("energy",)), counting)
    assert search._mac_pj() + relaxed_energy_pj(search.graph, search.sums) <= reference[0]["energy"] * (1 + 1e-9)
    for metric in ("energy", "edp"):
        found = search_nest(problem, tree, Objective((metric,)), counting)
        assert isinstance(found, FoundNest)
        assert found.certificate.value == pytest.approx(reference[0][metric], rel=1e-9)


def test_a_tensor_that_lies_in_the_padding_takes_no_time_to_load() -> None:
    problem, tree, counting = _case(577)
    axis = problem.tensors[0].axes[1]
    assert counting == "zigzag" and axis.offset == -2 and problem.sizes["F"] == 2 and not problem.fetch_padding
    reference = exhaustive(problem, tree, counting)
    assert reference is not None
    for metric in ("latency", "edp"):
        found = search_nest(problem, tree, Objective((metric,)), counting)
        assert isinstance(found, FoundNest)
        assert found.certificate.value == pytest.approx(reference[0][metric], rel=1e-9)


def test_tiles_that_slide_are_not_counted_as_fetched_whole() -> None:
    """Room for three inputs around each multiplier: along ``x`` a window of three taps finds two of them in place."""
    problem = problem_of_einsum("O[x]=I[x+f]*W[f]", {"x": 8, "f": 3}, {"I": 8, "W": 8, "O": 8})
    tree = _around(random.Random(0), random_tree(random.Random(5), roomy=True, axes=1))
    tight = replace(tree.levels[-1], capacity_bits=24 + 24 + 8, buffers=1)
    tight = replace(tight, read_pj=Fraction(1, 100), write_pj=Fraction(100))
    search = NestSearch(problem, replace(tree, levels=(tree.levels[0], tight)), Objective(("energy",)), "timeloop")
    found = search.run()
    assert found is not None and found.certificate.proven_optimal
    assert search.least_pj <= found.certificate.value * (1 + 1e-9)


def test_elements_of_huge_tensors_are_bounded_from_below(monkeypatch: pytest.MonkeyPatch) -> None:
    """Past a limit elements are not listed; of eight steps of two, four lie inside an axis of eight."""
    half = ProblemTensor("I", (Axis(((2, "x"),), 8),))
    out = ProblemTensor("O", (Axis(((1, "x"),), 8),), output=True)
    problems = [NestProblem((("x", 8),), (half, out)), *(random_problem(random.Random(seed)) for seed in range(60))]
    for problem in problems:
        search = NestSearch(problem, random_tree(random.Random(1), axes=0), Objective(("energy",)), "timeloop")
        listed = [_volume(tensor, search.sums) for tensor in problem.tensors]
        with monkeypatch.context() as patch:
            patch.setattr("mappers.nests.relaxed.MOST_INDICES", 0)
            for tensor, whole in zip(problem.tensors, listed, strict=True):
                assert _volume(tensor, search.sums) <= whole, problem


def _unrolling(problem: NestProblem, tree: MemoryTree, mapping: NestMapping) -> Unrolling:
    """Return what a nest of divisor tiles runs along each axis."""
    uses: list[dict[str, int]] = [{} for _ in tree.axes]
    names = [axis.name for axis in tree.axes]
    for loop, extent in zip(mapping.loops, mapping.extents(problem), strict=True):
        if loop.axis is not None and extent > loop.tile:
            use = uses[names.index(loop.axis)]
            use[loop.dim] = use.get(loop.dim, 1) * (extent // loop.tile)
    return Unrolling(tuple(tuple(use.items()) for use in uses))


def _around(draw: random.Random, tree: MemoryTree) -> MemoryTree:
    """Return `tree` with one small memory around each multiplier that keeps everything, and nothing between."""
    inner = replace(
        tree.levels[-1],
        serves=(),
        keep=ROLES,
        may_keep=(),
        capacity_bits=draw.choice((48, 96, 200, None)),
        parts_bits=(),
        ports=(),
        rounded_access=False,
        banks=1,
    )
    return replace(tree, levels=(tree.levels[0], inner))


@pytest.mark.parametrize("counting", COUNTINGS)
@pytest.mark.parametrize("around", [False, True])
def test_no_bound_lies_above_a_nest(counting: Counting, around: bool) -> None:
    """Neither the bound over all unrollings nor that of the nest's own unrolling; sums may start on many positions."""
    compared = 0
    for seed in range(examples(20)):
        draw = random.Random(seed)
        problem, tree = random_problem(draw, (1, 2, 3, 4)), random_tree(draw, axes=draw.choice((1, 2)))
        tree = _around(draw, tree) if around else tree
        search = NestSearch(problem, tree, Objective((draw.choice(("energy", "latency", "edp")),)), counting)
        search.least_pj = search._mac_pj() + relaxed_energy_pj(search.graph, search.sums)
        search.places = [(level.name, port.name) for level in tree.levels for port in level.ports]
        for _ in range(8):
            nest = Nest(problem, tree, random_nest(draw, problem, tree, ragged=False))
            if violation(nest) is not None:
                continue
            cost = evaluate(nest, counting)
            energy, latency = float(cost.energy_pj), cost.latency_cycles
            value = {"energy": energy, "latency": latency, "edp": energy * latency}[search.metric]
            choice = search._first(_unrolling(problem, tree, nest.mapping))
            assert search.least_pj <= energy * (1 + 1e-9), (seed, nest.mapping)
            assert choice.bound <= value * (1 + 1e-9), (seed, nest.mapping)
            search._bound(choice)
            assert choice.bound <= value * (1 + 1e-9), (seed, search.metric, nest.mapping)
            compared += 1
    assert compared > 20
