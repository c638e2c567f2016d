"""The search over ceil tiles equals a list of every nest; no bound lies above a nest; odd input gets an answer."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction
from functools import partial

import numpy as np
import pytest

from hw_models.hierarchy.reader import load_hierarchy
from hw_models.hierarchy.tree import ArrayAxis, Level, MemoryTree
from mappers.nests.cost import evaluate, violation
from mappers.nests.counts import COUNTINGS, Counting
from mappers.nests.deadline import Deadline
from mappers.nests.mapping import NestMapping
from mappers.nests.objective import Objective
from mappers.nests.problem import NestProblem, problem_of_einsum
from mappers.nests.ragged.bounds import MOST_POINTS, RaggedBounds
from mappers.nests.ragged.deepening import RaggedDeepening
from mappers.nests.ragged.grid import Grid, cells
from mappers.nests.ragged.search import Effort, RaggedSearch, search_ragged
from mappers.nests.ragged.trips import Choices, choices
from mappers.nests.search import FoundNest, search_nest
from mappers.nests.views import Nest
from tests.reference.exhaustive_ragged import exhaustive_ragged
from tests.reference.nest_cases import ROLES, random_nest, random_problem, random_tree
from tests.reference.profile import examples
from workloads.errors import Infeasible, InputError

MOST = 120
"""Nests of a problem that is compared; larger ones are skipped."""
WHOLE = Effort(None, None, None)
UNAIDED = Effort(None, None, None, scouts=0)
"""Without a first nest, so that the depth-first search has to find the best one itself."""


def test_the_search_equals_every_ceil_nest() -> None:
    compared, better, shapes, seed = 0, 0, set(), -1
    while compared < examples(14):
        seed += 1
        draw = random.Random(seed)
        problem, tree = random_problem(draw, (1, 1, 1, 1, 2, 3, 5)), random_tree(draw, roomy=seed % 3 > 0)
        counting: Counting = draw.choice(COUNTINGS)
        reference = exhaustive_ragged(problem, tree, counting, MOST)
        if reference is None or reference[1] < 8:
            continue
        for metric in ("energy", "latency") if seed % 2 else ("edp",):
            least = reference[0][metric]
            found = search_ragged(problem, tree, Objective((metric,)), counting, effort=WHOLE)  # type: ignore[arg-type]
            if isinstance(found, Infeasible):
                assert least == float("inf"), (seed, str(found))
                continue
            assert found.certificate.value == pytest.approx(least, rel=1e-9), (seed, metric)
            assert found.certificate.proven_optimal, (seed, metric)
            alone = RaggedSearch(problem, tree, Objective((metric,)), counting, effort=UNAIDED).run()  # type: ignore[arg-type]
            assert alone is not None, (seed, metric)
            assert alone.certificate.value == pytest.approx(least, rel=1e-9), (seed, metric)
            divided = search_nest(problem, tree, Objective((metric,)), counting)  # type: ignore[arg-type]
            assert isinstance(divided, FoundNest)
            better += found.certificate.value < divided.certificate.value * (1 - 1e-9)
            shapes.add(tuple((level.keep, level.may_keep, level.serves) for level in tree.levels))
            compared += 1
    assert len(shapes) >= 6 and better >= 1


def _trips(problem: NestProblem, tree: MemoryTree, mapping: NestMapping) -> Choices | None:
    """Return the choice of a nest, None if an axis runs over a dimension twice."""
    dims = tuple(dim for dim, size in problem.dims if size > 1)
    table = np.ones((1, len(tree.axes), len(dims)), dtype=np.int64)
    for loop, extent in zip(mapping.loops, mapping.extents(problem), strict=True):
        if loop.axis is not None and extent > loop.tile:
            at = [axis.name for axis in tree.axes].index(loop.axis), dims.index(loop.dim)
            if table[0, at[0], at[1]] > 1:
                return None
            table[0, at[0], at[1]] = -(-extent // loop.tile)
    return Choices(tree, dims, table)


@pytest.mark.parametrize("counting", COUNTINGS)
@pytest.mark.parametrize("points", [MOST_POINTS, 6])
def test_no_bound_lies_above_a_ceil_nest(counting: Counting, points: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither that of the nest's own choice of trips nor that of a set of choices, on coarse grids too."""
    monkeypatch.setattr("mappers.nests.ragged.search.RaggedBounds", partial(RaggedBounds, most_points=points))
    compared = ragged = 0
    for seed in range(examples(14)):
        draw = random.Random(seed)
        problem, tree = (
            random_problem(draw, (1, 2, 3, 5, 7)),
            random_tree(draw, roomy=seed % 2 > 0, axes=draw.choice((1, 2))),
        )
        everything = choices(problem, tree)
        assert everything is not None
        search = RaggedSearch(problem, tree, Objective((draw.choice(("energy", "latency", "edp")),)), counting)
        search.places = [(level.name, port.name) for level in tree.levels for port in level.ports]
        for _ in range(8):
            nest = Nest(problem, tree, random_nest(draw, problem, tree, ragged=True))
            own = _trips(problem, tree, nest.mapping)
            try:
                if own is None or violation(nest) is not None:
                    continue
                cost = evaluate(nest, counting)
            except InputError:
                continue
            energy, latency = float(cost.energy_pj), cost.latency_cycles
            value = {"energy": energy, "latency": latency, "edp": energy * latency}[search.metric]
            more = everything.trips[draw.sample(range(len(everything.trips)), min(3, len(everything.trips)))]
            for rows in (own, replace(own, trips=np.concatenate([own.trips, more]))):
                steps = np.maximum(search._scaled(rows.steps(problem)), search._compulsory())
                least = steps + rows.fill() + tree.multiplier.latency_cycles
                assert search._bound(rows, np.arange(len(rows.trips)), least) <= value * (1 + 1e-9), (
                    seed,
                    nest.mapping,
                )
            compared, ragged = compared + 1, ragged + bool(nest.ragged)
    assert compared > 8 and ragged > 4


def test_every_tile_has_a_cell() -> None:
    for size in (1, 2, 16, 17, 100, 197):
        own = cells(size)
        grid = Grid({"d": size}, 5)
        assert own[0] == 1 and own[-1] == size and list(own) == sorted(set(own))
        for tile in range(1, size + 1):
            at = grid.index("d", tile)
            assert grid.low["d"].ravel()[at] <= tile <= grid.high["d"].ravel()[at]
        if size > 16:
            assert {-(-size // tile) for tile in own} == {-(-size // tile) for tile in range(1, size + 1)}


def _row(size: int = 3) -> MemoryTree:
    """Return a row of multipliers with a small memory each."""
    top = Level("DRAM", ("x",), ROLES, read_pj=Fraction(100), write_pj=Fraction(100), access_bits=8)
    low = Level("spad", (), ROLES, capacity_bits=64, read_pj=Fraction(1), write_pj=Fraction(1), access_bits=8)
    return MemoryTree("row", (ArrayAxis("x", size),), (top, low))


def test_prime_dimensions_gain_from_ceil_tiles() -> None:
    """Seven rows on three multipliers: 3 steps a column, not 7; an attention product of 197 tokens on 12 x 14."""
    problem = problem_of_einsum("O[m]=I[m,k]*W[k]", {"m": 7, "k": 5})
    divided = search_nest(problem, _row(), Objective(("latency",)))
    found = search_ragged(problem, _row(), Objective(("latency",)), effort=WHOLE)
    assert isinstance(divided, FoundNest) and isinstance(found, FoundNest)
    assert (divided.cost.latency_cycles, found.cost.latency_cycles) == (35, 14) and found.certificate.proven_optimal
    tokens = problem_of_einsum("O[m,n]=I[m,k]*W[k,n]", {"m": 197, "n": 197, "k": 64})
    tree = load_hierarchy("eyeriss_like")
    divided = search_nest(tokens, tree, Objective(("edp",)))
    assert isinstance(divided, FoundNest) and divided.certificate.proven_optimal
    best = RaggedSearch(
        tokens, tree, Objective(("edp",)), "timeloop", divided, Effort(4, 0, 100, scouts=3, followed=1)
    ).run()
    assert best is not None
    assert best.certificate.bound <= best.certificate.value < 0.4 * divided.certificate.value
    assert best.certificate.gap < 0.1


def _better(draw: random.Random, tree: MemoryTree) -> MemoryTree:
    """Return `tree` with more room or wider ports everywhere."""
    double = draw.random() < 0.5
    return replace(
        tree,
        levels=tuple(
            replace(
                level,
                capacity_bits=None if level.capacity_bits is None else 2 * level.capacity_bits,
                parts_bits=tuple((role, 2 * bits) for role, bits in level.parts_bits),
                ports=tuple(replace(p, max_bits=2 * p.max_bits if double else p.max_bits) for p in level.ports),
                rounded_access=False,
            )
            for level in tree.levels
        ),
    )


def test_a_better_machine_is_never_worse_over_ceil_tiles() -> None:
    compared = 0
    for seed in range(examples(3)):
        draw = random.Random(2000 + seed)
        problem, tree = random_problem(draw, (1, 1, 2, 3)), random_tree(draw, roomy=True)
        tree = replace(tree, levels=tuple(replace(level, rounded_access=False) for level in tree.levels))
        objective = Objective((draw.choice(("energy", "edp")),))
        effort = Effort(None, 1200, None)
        before = search_ragged(problem, tree, objective, "timeloop", effort=effort)
        after = search_ragged(problem, _better(draw, tree), objective, "timeloop", effort=effort)
        if isinstance(before, Infeasible) or not before.certificate.proven_optimal:
            continue
        assert isinstance(after, FoundNest)
        assert after.certificate.bound <= before.certificate.value * (1 + 1e-9), seed
        if after.certificate.proven_optimal:
            assert after.certificate.value <= before.certificate.value * (1 + 1e-9), seed
        compared += 1
    assert compared > 0


def test_a_better_machine_is_never_worse_where_stalls_count() -> None:
    """Divisor tiles under ``zigzag``: the same nest fits, and a stall falls with the cycles of each transfer."""
    compared = 0
    for seed in range(examples(6)):
        draw = random.Random(1000 + seed)
        problem, tree = random_problem(draw, (1, 2, 3, 4)), random_tree(draw)
        tree = replace(tree, levels=tuple(replace(level, rounded_access=False) for level in tree.levels))
        objective = Objective((draw.choice(("energy", "latency", "edp")),))
        before = search_nest(problem, tree, objective, "zigzag", time_limit_s=2.0)
        if isinstance(before, Infeasible) or not before.certificate.proven_optimal:
            continue
        after = search_nest(problem, _better(draw, tree), objective, "zigzag", time_limit_s=2.0)
        assert isinstance(after, FoundNest)
        assert after.certificate.bound <= before.certificate.value * (1 + 1e-9), seed
        if after.certificate.proven_optimal:
            assert after.certificate.value <= before.certificate.value * (1 + 1e-9), seed
            compared += 1
    assert compared > 2


@pytest.mark.parametrize("sizes", [{"m": 1, "n": 1, "k": 1}, {"m": 13, "n": 7, "k": 1}, {"m": 10**6, "n": 3, "k": 7}])
@pytest.mark.parametrize("counting", COUNTINGS)
@pytest.mark.parametrize("positions", [1, 4])
def test_odd_sizes_get_an_answer_at_once(sizes: dict[str, int], counting: Counting, positions: int) -> None:
    """No time, one multiplier, prime dimensions, nothing to loop over, a million indices."""
    problem = problem_of_einsum("O[m,n]=I[m,k]*W[k,n]", sizes)
    found = search_ragged(problem, _row(positions), Objective(("edp",)), counting, time_limit_s=0.0)
    assert isinstance(found, FoundNest)
    assert 0 < found.certificate.bound <= found.certificate.value and 0 <= found.certificate.gap < 1
    assert violation(Nest(problem, _row(positions), found.mapping)) is None


def test_more_choices_than_can_be_listed_still_give_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mappers.nests.ragged.trips.MOST_CHOICES", 2)
    problem = problem_of_einsum("O[m,n]=I[m,k]*W[k,n]", {"m": 5, "n": 7, "k": 3})
    found = search_ragged(problem, _row(4), Objective(("latency",)))
    assert isinstance(found, FoundNest) and found.certificate.bound == 27 < found.certificate.value


def test_an_interrupt_returns_the_best_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: RaggedDeepening, most: int | None = None) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(RaggedDeepening, "run", interrupted)
    problem = problem_of_einsum("O[m,n]=I[m,k]*W[k,n]", {"m": 7, "n": 5, "k": 3})
    clock = Deadline()
    found = search_ragged(problem, _row(4), Objective(("edp",)), deadline=clock)
    assert isinstance(found, FoundNest) and 0 < found.certificate.bound < found.certificate.value
    assert clock.interrupted and clock.left() == 0.0


def test_a_certificate_says_where_one_order_of_loops_stands_for_all() -> None:
    problem = problem_of_einsum("O[m]=I[m,k]*W[k]", {"m": 3, "k": 2})
    for counting, metric, one in (("zigzag", "latency", True), ("zigzag", "energy", False), ("timeloop", "edp", False)):
        found = search_ragged(problem, _row(), Objective((metric,)), counting)  # type: ignore[arg-type]
        assert isinstance(found, FoundNest)
        assert ("one order of the loops" in found.certificate.map_space) == one


def test_limits_and_lexicographic_objectives_hold_over_ceil_tiles() -> None:
    """A latency that no divisor nest reaches is reached; then the energy is the least at that latency."""
    problem = problem_of_einsum("O[m]=I[m,k]*W[k]", {"m": 7, "k": 5})
    limit = (("latency", Fraction(14)),)
    divided = search_nest(problem, _row(), Objective(("energy",), limit))  # type: ignore[arg-type]
    found = search_ragged(problem, _row(), Objective(("energy",), limit), effort=WHOLE)  # type: ignore[arg-type]
    assert isinstance(divided, Infeasible) and isinstance(found, FoundNest) and found.cost.latency_cycles == 14
    both = search_ragged(problem, _row(), Objective(("latency", "energy")), effort=WHOLE)
    assert isinstance(both, FoundNest) and both.cost.energy_pj == found.cost.energy_pj
    short = (("latency", Fraction(11)),)
    refused = search_ragged(problem, _row(), Objective(("energy",), short))  # type: ignore[arg-type]
    assert isinstance(refused, Infeasible) and refused.constraint == "limit[latency]"
