"""The interpreter of plans rejects what no machine could do; one edit of a good plan each."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mappers.placement import Plan, place_tensors, replay
from mappers.placement.interpreter import PlanError
from tests.reference.tensor_graphs import toy_1, toy_2

GOOD = place_tensors(toy_1(), 130, schedule="fixed").plan
"""A spilled at step 2, retrieved at step 3; B above or below A at step 1."""


def edited(step: int, **changes: Any) -> Plan:
    """Return the good plan with one step changed."""
    steps = list(GOOD.steps)
    steps[step] = replace(steps[step], **changes)
    return replace(GOOD, steps=tuple(steps))


def at(step: int, **moved: int) -> dict[str, int]:
    """Return the addresses of a step with some moved."""
    return {**GOOD.steps[step].addresses, **moved}


def without(step: int, name: str) -> dict[str, int]:
    return {key: value for key, value in GOOD.steps[step].addresses.items() if key != name}


BAD = {
    "overlap": (edited(1, addresses=at(1, B=GOOD.steps[1].addresses["A"] + 1)), "overlaps"),
    "outside": (edited(0, addresses={"A": 71}), "the scratchpad has 130 bytes"),
    "below zero": (edited(0, addresses={"A": -1}), "the scratchpad has 130 bytes"),
    "absent operand": (edited(3, retrieve=(), addresses=without(3, "A")), "operand 'A' is not resident"),
    "moved": (edited(1, addresses=at(1, A=GOOD.steps[1].addresses["B"], B=GOOD.steps[1].addresses["A"])), "moved from"),
    "retrieve before spill": (edited(2, spill=()), "retrieves 'A' before it was spilled"),
    "retrieve in the step of the spill": (
        edited(2, spill=("A",), retrieve=("A",), addresses=at(2, A=0)),
        "a tensor is listed twice",
    ),
    "double create": (edited(3, create=("D", "B"), addresses=at(3, B=0)), "creates 'B' a second time"),
    "create of another's": (edited(1, create=("B", "D"), addresses=at(1, D=120)), "the operator writes"),
    "no create": (edited(3, create=(), addresses=without(3, "D")), "the operator writes"),
    "preserve of what has left": (
        edited(3, preserve=("C", "A"), retrieve=()),
        "preserves 'A', which was not resident",
    ),
    "spill of what has left": (
        edited(3, spill=("A",), retrieve=(), addresses=without(3, "A")),
        "spills 'A', which was not resident",
    ),
    "address of nothing": (edited(1, addresses=at(1, Z=0)), "addresses are given for"),
    "unknown operator": (edited(0, operator="zz"), "no such operator"),
    "operator twice": (replace(GOOD, steps=(*GOOD.steps[:2], GOOD.steps[1], *GOOD.steps[3:])), "has run before"),
    "operator missing": (replace(GOOD, steps=GOOD.steps[:3]), "operator 'd' never runs"),
    "fetch of what is made": (edited(0, create=(), fetch=("A",)), "fetches 'A'"),
}


def test_the_good_plan_passes() -> None:
    run = replay(toy_1(), GOOD)
    assert (run.spilled_bytes, run.retrieved_bytes, run.compulsory_bytes) == (60, 60, 10)
    assert run.occupied_bytes == (60, 120, 120, 130) and max(run.top_bytes) == 130


@pytest.mark.parametrize("name", BAD)
def test_a_bad_plan_is_rejected(name: str) -> None:
    plan, says = BAD[name]
    with pytest.raises(PlanError, match=says):
        replay(toy_1(), plan)


def test_a_host_copy_that_exists_is_not_spilled_again() -> None:
    plan = place_tensors(toy_2(), 100, schedule="fixed").plan
    last = plan.steps[-1]
    back = next(t for t, step in enumerate(plan.steps) if step.retrieve and t + 1 < len(plan.steps))
    name = plan.steps[back].retrieve[0]
    following = plan.steps[back + 1]
    if name in following.addresses:
        following = replace(
            following,
            preserve=tuple(n for n in following.preserve if n != name),
            addresses={k: v for k, v in following.addresses.items() if k != name},
        )
    broken = replace(
        plan,
        steps=(*plan.steps[: back + 1], replace(following, spill=(*following.spill, name)), *plan.steps[back + 2 :]),
    )
    assert last is not None
    with pytest.raises(PlanError, match="host memory has a copy"):
        replay(toy_2(), broken)
