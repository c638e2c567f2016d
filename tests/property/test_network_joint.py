"""The joint model against brute force on random small graphs, and its laws.

Test classes: equal to brute force for each objective; evaluation and reference agree; bad input.
"""

from __future__ import annotations

import random
from fractions import Fraction

import pytest

from mappers.network.cost import Option
from mappers.network.joint import solve_joint
from mappers.network.joint_problem import JointOperator, JointProblem, evaluate
from tests.reference.brute_force_joint import best_decision
from workloads.errors import InfeasibleError, InputError

GRAPHS = 20
MORE_GRAPHS = 100


def random_problem(seed: int) -> JointProblem:
    """Return a problem of 2 to 4 operators with one or two options each on one or two cores."""
    rng = random.Random(seed)
    count = rng.choice((2, 3, 3, 4))
    sizes: dict[str, int] = {"source": rng.randrange(1, 40)}
    operators = []
    for o in range(count):
        readable = [f"t{p}" for p in range(o)] or ["source"]
        inputs = tuple(sorted(rng.sample(readable, min(len(readable), rng.choice((1, 1, 2))))))
        if o == 0:
            inputs = ("source",)
        if count < 4 and rng.random() < 0.4:
            sizes[f"w{o}"] = rng.randrange(1, 60)
            inputs = (*inputs, f"w{o}")
        sizes[f"t{o}"] = rng.randrange(1, 60)
        options = []
        for _ in range(rng.choice((1, 2, 2))):
            reads = tuple((name, sizes[name] * rng.choice((1, 1, 2))) for name in inputs)
            tiles = [(name, rng.randrange(0, 12)) for name in (*inputs, f"t{o}") if not name.startswith("w")]
            options.append(
                Option(
                    rng.choice(("a", "b")),
                    rng.randrange(1, 60),
                    Fraction(rng.randrange(1, 200)),
                    reads,
                    sizes[f"t{o}"],
                    tuple(tiles),
                    True,
                )
            )
        operators.append(JointOperator(f"op{o}", inputs, f"t{o}", tuple(options)))
    read = {name for op in operators for name in op.inputs}
    outputs = frozenset(name for name in sizes if name.startswith("t") and name not in read)
    capacity = rng.randrange(30, 160)
    rate = Fraction(rng.choice((1, 2, 3)), rng.choice((1, 2)))
    return JointProblem(tuple(operators), sizes, outputs, capacity, rate, Fraction(2), Fraction(1, 2), Fraction(1, 4))


@pytest.mark.parametrize("seed", range(GRAPHS))
def test_equal_to_brute_force(seed: int) -> None:
    objective = ("latency", "energy", "edp")[seed % 3]
    problem = random_problem(seed)
    wanted = best_decision(problem, objective)
    if wanted is None:
        with pytest.raises(InfeasibleError, match=r"capacity\[shared\] needs"):
            solve_joint(problem, objective)
        return
    found = solve_joint(problem, objective)
    assert found.value == pytest.approx(float(wanted), rel=1e-6)
    assert found.gap == pytest.approx(0, abs=1e-6)
    checked = evaluate(problem, found.order, found.options, found.resident)
    assert checked is not None and float(checked[0]) == pytest.approx(found.latency_cycles)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(GRAPHS, MORE_GRAPHS))
def test_equal_to_brute_force_on_more(seed: int) -> None:
    test_equal_to_brute_force(seed)


def test_a_given_order_is_kept_and_costs_no_less() -> None:
    problem = random_problem(7)
    order = tuple(range(len(problem.operators)))
    assert solve_joint(problem, "latency", order).order == order
    assert solve_joint(problem, "latency", order).value >= solve_joint(problem, "latency").value - 1e-6


def test_messages() -> None:
    problem = random_problem(1)
    with pytest.raises(
        InputError, match=r"^joint model: objective is 'speed', bound is latency, energy, edp; choose one$"
    ):
        solve_joint(problem, "speed")
    with pytest.raises(InputError, match=r"^joint model: operator 'x' has no option; no core runs it$"):
        JointProblem((JointOperator("x", (), "y", ()),), {"y": 1}, frozenset("y"), 10, Fraction(1))
