"""The search equals a list of every nest, is monotone in the machine, and keeps its promises about time."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from mappers.nests.cost import violation
from mappers.nests.counts import Counting
from mappers.nests.deadline import Deadline
from mappers.nests.exact import Deepening
from mappers.nests.objective import METRICS, Objective
from mappers.nests.problem import problem_of_einsum
from mappers.nests.search import FoundNest, search_nest
from mappers.nests.views import Nest
from tests.reference.exhaustive_nests import exhaustive, nests
from tests.reference.nest_campaign import CHANGES, monotone
from tests.reference.nest_cases import random_problem, random_tree
from tests.reference.profile import examples
from workloads.errors import Infeasible, InputError

MOST = 120
"""Nests of a problem that is compared in CI; larger ones are skipped."""


def test_the_search_equals_every_nest() -> None:
    compared, impossible, shapes = 0, 0, set()
    seed = -1
    while compared < examples(28):
        seed += 1
        draw = random.Random(seed)
        problem, tree = random_problem(draw, (1, 1, 1, 2, 2, 3)), random_tree(draw, roomy=seed % 3 > 0)
        counting: Counting = draw.choice(("timeloop", "zigzag"))
        if sum(1 for _ in zip(range(MOST + 1), nests(problem, tree), strict=False)) > MOST:
            continue
        reference = exhaustive(problem, tree, counting)
        assert reference is not None
        shapes.add(tuple((level.keep, level.may_keep, level.serves) for level in tree.levels))
        for metric in ("energy", "latency") if seed % 2 else ("edp",):
            least = reference[0][metric]
            found = search_nest(problem, tree, Objective((metric,)), counting)  # type: ignore[arg-type]
            if isinstance(found, Infeasible):
                assert least == float("inf"), (seed, str(found))
                assert found.levers
                impossible += 1
                continue
            assert found.certificate.value == pytest.approx(least, rel=1e-9), (seed, metric)
            assert found.certificate.proven_optimal
            assert violation(Nest(problem, tree, found.mapping)) is None
            compared += 1
    assert len(shapes) >= 8


@pytest.mark.parametrize("change", CHANGES)
def test_a_better_machine_is_never_worse(change: str) -> None:
    """Wider ports (that which sets the latency first), more room, more positions; some machines do get better."""
    total = monotone(examples(7), change)
    assert total.wrong == []
    assert total.better > 0


def test_no_time_still_gives_a_nest_with_its_gap() -> None:
    problem = problem_of_einsum("O[k,x]=I[c,x+f]*W[k,c,f]", {"k": 8, "c": 8, "x": 8, "f": 3})
    tree = random_tree(random.Random(5), roomy=True, axes=2)
    found = search_nest(problem, tree, Objective(("edp",)), "zigzag", time_limit_s=0.0)
    whole = search_nest(problem, tree, Objective(("edp",)), "zigzag")
    assert isinstance(found, FoundNest) and isinstance(whole, FoundNest)
    assert found.certificate.bound <= whole.certificate.value * (1 + 1e-9) <= found.certificate.value * (1 + 1e-8)
    assert 0 <= found.certificate.gap < 1


def test_an_interrupt_returns_the_best_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: Deepening) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Deepening, "run", interrupted)
    problem = problem_of_einsum("O[k,x]=I[c,x+f]*W[k,c,f]", {"k": 8, "c": 8, "x": 8, "f": 3})
    tree = random_tree(random.Random(5), roomy=True, axes=2)
    clock = Deadline()
    found = search_nest(problem, tree, Objective(("edp",)), "zigzag", deadline=clock)
    assert isinstance(found, FoundNest) and found.certificate.bound <= found.certificate.value
    assert clock.interrupted and clock.late()


def test_lexicographic_objectives_and_limits() -> None:
    problem = problem_of_einsum("O[m,n]=I[m,k]*W[k,n]", {"m": 4, "n": 4, "k": 4})
    tree = random_tree(random.Random(11), roomy=True, axes=1)
    fast = search_nest(problem, tree, Objective(("latency",)), "timeloop")
    both = search_nest(problem, tree, Objective(("latency", "energy")), "timeloop")
    assert isinstance(fast, FoundNest) and isinstance(both, FoundNest)
    assert both.cost.latency_cycles == fast.cost.latency_cycles
    assert both.cost.energy_pj <= fast.cost.energy_pj
    limit = (("latency", fast.cost.latency_cycles - 1),)
    refused = search_nest(problem, tree, Objective(("energy",), limit), "timeloop")  # type: ignore[arg-type]
    assert isinstance(refused, Infeasible) and refused.constraint == "limit[latency]" and refused.gap == 1


def test_the_impossible_says_what_would_help() -> None:
    problem = problem_of_einsum("O[m,n]=I[m,k]*W[k,n]", {"m": 2, "n": 2, "k": 2}, {"O": 24})
    tree = random_tree(random.Random(11), roomy=True, axes=0)
    small = replace(tree.levels[-1], keep=("I", "W", "O"), may_keep=(), capacity_bits=39, buffers=1, banks=1, ports=())
    refused = search_nest(problem, replace(tree, levels=(tree.levels[0], small)), Objective(("energy",)))
    assert isinstance(refused, Infeasible)
    assert (refused.demand, refused.bound, refused.unit) == (40, 39, "bits")
    assert "to 40 bits" in refused.levers[0]


@pytest.mark.parametrize("sizes", [{"m": 1, "n": 1, "k": 1}, {"m": 13, "n": 7, "k": 1}, {"m": 10**6, "n": 1, "k": 1}])
def test_odd_sizes_get_an_answer(sizes: dict[str, int]) -> None:
    problem = problem_of_einsum("O[m,n]=I[m,k]*W[k,n]", sizes)
    tree = random_tree(random.Random(3), roomy=True, axes=1)
    found = search_nest(problem, tree, Objective(("energy",)), "timeloop", time_limit_s=1.0)
    assert isinstance(found, FoundNest) and found.certificate.gap <= 1


def test_unknown_roles_and_metrics_are_refused() -> None:
    problem = problem_of_einsum("Z[m]=A[m,k]*B[k]", {"m": 2, "k": 2})
    with pytest.raises(InputError, match="no level holds 'A'"):
        search_nest(problem, random_tree(random.Random(3)))
    assert METRICS == ("latency", "energy", "edp", "area_delay")
