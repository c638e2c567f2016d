"""Sparse operands in the general layer mapper: traffic, room, energy and cycles; the search stays equal to a list."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction

import pytest

from hw_models.hierarchy.tree import ArrayAxis, Level, MemoryTree, Multiplier, Port
from mappers.nests.cost import evaluate, violation
from mappers.nests.counts import COUNTINGS, Counting
from mappers.nests.interpreter import Interpreter, walked_energy_pj
from mappers.nests.mapping import Hold, Loop, NestMapping
from mappers.nests.objective import Objective
from mappers.nests.problem import NestProblem, Precisions, problem_of_einsum, problem_of_layer
from mappers.nests.search import FoundNest, NestSearch, search_nest
from mappers.nests.spatial import Unrolling
from mappers.nests.views import Nest
from tests.reference.exhaustive_nests import exhaustive, nests
from tests.reference.nest_cases import ROLES, random_nest, random_problem, random_tree, sparse
from tests.reference.profile import examples
from workloads.errors import Infeasible
from workloads.mac_layers import MacLayer
from workloads.zoo import load

HALF = Fraction(1, 2)


def case(seed: int, sizes: tuple[int, ...], axes: int | None = None) -> tuple[random.Random, NestProblem, MemoryTree]:
    draw = random.Random(seed)
    problem, tree = sparse(draw, random_problem(draw, sizes), random_tree(draw, roomy=seed % 3 > 0, axes=axes))
    return draw, problem, tree


def test_two_of_four_weights_by_hand() -> None:
    """An 8 x 8 x 16 product: 128 weights, every second stored with 2 bits of index, its zeros skipped."""
    problem = problem_of_einsum("O[m,n]=I[m,k]*W[k,n]", {"m": 8, "n": 8, "k": 16}, {"O": 24})
    weights = replace(problem.tensors[1], density=HALF, index_bits=Fraction(2))
    problem = replace(problem, tensors=(problem.tensors[0], weights, problem.tensors[2]))
    port = Port("rw", Fraction(4), (("W", "tl"),))
    top = Level("DRAM", ("x",), ROLES, ports=(port,), read_pj=Fraction(1), write_pj=Fraction(1))
    core = Multiplier(Fraction(2), skips=("W",))
    tree = MemoryTree("two", (ArrayAxis("x", 8),), (top, Level("RF", (), ROLES)), core)
    holds = [Hold("DRAM", role) for role in ROLES] + [Hold("RF", role) for role in ROLES]
    mapping = NestMapping((*holds, Loop("n", 1, "x"), Loop("k", 1), Loop("m", 1)))
    cost = evaluate(Nest(problem, tree, mapping), "timeloop")
    parts = dict(cost.parts_pj)
    assert weights.stored_bits() == (8 + 2) * HALF
    assert parts["mac"] == 8 * 8 * 16 * HALF * 2
    words = 8 * 16 * 8 + 128 * 5 + 64 * 8  # inputs read once for all positions, weights at five bits, outputs at eight
    assert parts["DRAM"] == words
    assert cost.steps == 8 * 16 // 2
    assert cost.latency_cycles == max(64, 128 * 5 // 4)  # the weights' port is slower than the multipliers


def test_a_layer_gets_its_densities() -> None:
    layer = next(layer for layer in load("lenet").layers if isinstance(layer, MacLayer))
    problem = problem_of_layer(layer, Precisions(densities=(("W", HALF, Fraction(2)),)))[0]
    assert problem.tensor("W").stored_bits() == 5
    assert problem.tensor("I").stored_bits() == 8


def test_energy_of_sparse_nests_equals_the_walk() -> None:
    compared = 0
    for seed in range(examples(60)):
        draw, problem, tree = case(seed, (1, 2, 2, 3, 4))
        if any(level.rounded_access for level in tree.levels):
            continue
        counting: Counting = draw.choice(COUNTINGS)
        nest = Nest(problem, tree, random_nest(draw, problem, tree, ragged=False))
        walked = Interpreter(problem, tree, nest.mapping, counting).run()
        cost = evaluate(nest, counting)
        assert cost.energy_pj == walked_energy_pj(problem, tree, walked), seed
        share = Fraction(1)
        for role in tree.multiplier.skips:
            share *= problem.tensor(role).density
        assert cost.steps == -(-walked.steps * share // 1), seed
        compared += 1
    assert compared > 25


@pytest.mark.parametrize("counting", COUNTINGS)
def test_the_search_equals_every_sparse_nest(counting: Counting) -> None:
    compared = 0
    seed = 500
    while compared < examples(8):
        seed += 1
        _, problem, tree = case(seed, (1, 1, 1, 2, 2, 3))
        if sum(1 for _ in zip(range(101), nests(problem, tree), strict=False)) > 100:
            continue
        reference = exhaustive(problem, tree, counting)
        assert reference is not None
        for metric, least in reference[0].items():
            found = search_nest(problem, tree, Objective((metric,)), counting)  # type: ignore[arg-type]
            if isinstance(found, Infeasible):
                assert least == float("inf"), (seed, str(found))
                continue
            assert found.certificate.value == pytest.approx(least, rel=1e-9), (seed, metric)
            assert violation(Nest(problem, tree, found.mapping)) is None
        compared += 1


@pytest.mark.parametrize("counting", COUNTINGS)
def test_no_bound_lies_above_a_sparse_nest(counting: Counting) -> None:
    """Skipped zeros shorten the period of a tile, which then is no whole number of cycles."""
    compared = 0
    for seed in range(examples(12)):
        draw, problem, tree = case(seed, (1, 2, 3, 4), axes=0)
        search = NestSearch(problem, tree, Objective(("latency",)), counting)
        search.least_pj = 0.0
        search.places = [(level.name, port.name) for level in tree.levels for port in level.ports]
        for _ in range(8):
            nest = Nest(problem, tree, random_nest(draw, problem, tree, ragged=False))
            if violation(nest) is not None:
                continue
            choice = search._first(Unrolling(()))
            search._bound(choice)
            assert choice.bound <= evaluate(nest, counting).latency_cycles, (seed, nest.mapping)
            compared += 1
    assert compared > 15


def test_the_period_of_a_tile_may_be_a_broken_number_of_cycles() -> None:
    """Eight words in three steps through a port that needs three cycles for each: 3 + ceil((3 - 3/8) 7) + 3."""
    problem = problem_of_einsum("O[m]=I[m]*W[m]", {"m": 8}, {"O": 8})
    problem = replace(problem, tensors=(replace(problem.tensors[0], density=Fraction(3, 8)), *problem.tensors[1:]))
    register = Level("RF", (), ("I",), capacity_bits=3, ports=(Port("w", Fraction(1), (("I", "fh"),)),))
    tree = MemoryTree("two", (), (Level("DRAM", (), ROLES), register), Multiplier(skips=("I",)))
    found = search_nest(problem, tree, Objective(("latency",)), "zigzag")
    assert isinstance(found, FoundNest) and found.cost.latency_cycles == 25
    search = NestSearch(problem, tree, Objective(("latency",)), "zigzag")
    search.least_pj, search.places = 0.0, [("RF", "w")]
    choice = search._first(Unrolling(()))
    search._bound(choice)
    assert choice.bound == 24


def test_denser_operands_never_cost_less() -> None:
    for seed in range(examples(4)):
        draw, problem, tree = case(900 + seed, (1, 2, 2, 3))
        tree = replace(tree, levels=tuple(replace(level, rounded_access=False) for level in tree.levels))
        dense = replace(problem, tensors=tuple(replace(t, density=Fraction(1)) for t in problem.tensors))
        objective = Objective((draw.choice(("energy", "latency", "edp")),))
        plain = replace(problem, tensors=tuple(replace(t, index_bits=Fraction(0)) for t in problem.tensors))
        before = search_nest(dense, tree, objective, "timeloop")
        after = search_nest(plain, tree, objective, "timeloop")
        if isinstance(before, FoundNest):
            assert isinstance(after, FoundNest)
            assert after.certificate.value <= before.certificate.value * (1 + 1e-9), seed
