"""The interpreter of plans: executes one on an addressed scratchpad and rejects what a machine could not do.

It knows the graph and the plan and nothing of how the plan was made; every plan of every policy goes through it
(§3.8).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mappers.placement.graph import TensorGraph
from mappers.placement.plan import Plan, PlanStep
from workloads.errors import InternalError


class PlanError(InternalError):
    """A plan that cannot be executed, or that costs other than it says."""


@dataclass(frozen=True, slots=True)
class ReplayedPlan:
    """What an execution moved.

    Parameters
    ----------
    spilled_bytes, retrieved_bytes : int
        The objective is their sum.
    compulsory_bytes : int
        First arrivals of sources and the one write of every tensor that nobody reads.
    occupied_bytes : tuple of int
        Resident bytes at each step.
    top_bytes : tuple of int
        End of the highest resident tensor at each step.
    """

    spilled_bytes: int
    retrieved_bytes: int
    compulsory_bytes: int
    occupied_bytes: tuple[int, ...]
    top_bytes: tuple[int, ...]

    @property
    def traffic_bytes(self) -> int:
        """Value of the objective."""
        return self.spilled_bytes + self.retrieved_bytes


@dataclass
class _Machine:
    """Scratchpad and host memory while a plan runs."""

    size: dict[str, int]
    made_by: dict[str, str]
    capacity: int
    resident: dict[str, int] = field(default_factory=dict)
    host: set[str] = field(default_factory=set)
    arrived: set[str] = field(default_factory=set)
    done: set[str] = field(default_factory=set)


def replay(graph: TensorGraph, plan: Plan) -> ReplayedPlan:
    """Execute `plan` and return what it moved.

    Raises
    ------
    PlanError
        At the first step that cannot be done: tensors that overlap or leave the scratchpad, an operand that is not
        resident, a preserved tensor that moved, a retrieve of what was never spilled, a second create, and so on.
    """
    size = {tensor.name: tensor.size_bytes for tensor in graph.tensors}
    operators = {operator.name: operator for operator in graph.operators}
    made_by = {name: operator.name for operator in graph.operators for name in operator.outputs}
    machine = _Machine(size, made_by, plan.scratchpad_bytes)
    spilled = retrieved = compulsory = 0
    occupied, tops = [], []
    for t, step in enumerate(plan.steps):
        where = f"plan step {t} ('{step.operator}')"
        if step.operator not in operators:
            raise PlanError(f"{where}: there is no such operator")
        if step.operator in machine.done:
            raise PlanError(f"{where}: the operator has run before")
        operator = operators[step.operator]
        _move(machine, step, where)
        if sorted(step.create) != sorted(operator.outputs):
            raise PlanError(f"{where}: creates {list(step.create)}, the operator writes {list(operator.outputs)}")
        for name in operator.inputs:
            if name not in machine.resident or name in step.create:
                raise PlanError(f"{where}: operand '{name}' is not resident")
        _check_space(machine, where)
        machine.done.add(step.operator)
        spilled += sum(size[name] for name in step.spill)
        retrieved += sum(size[name] for name in step.retrieve)
        compulsory += sum(size[name] for name in step.fetch)
        occupied.append(sum(size[name] for name in machine.resident))
        tops.append(max(machine.resident[name] + size[name] for name in machine.resident))
    missing = sorted(set(operators) - machine.done)
    if missing:
        raise PlanError(f"plan: operator '{missing[0]}' never runs")
    read = {name for operator in graph.operators for name in operator.inputs}
    compulsory += sum(size[name] for name in made_by if name not in read)
    return ReplayedPlan(spilled, retrieved, compulsory, tuple(occupied), tuple(tops))


def _move(machine: _Machine, step: PlanStep, where: str) -> None:
    """Apply the movements of one step."""
    before = machine.resident
    now = dict(step.addresses)
    listed = (*step.create, *step.fetch, *step.preserve, *step.retrieve)
    if len({*listed, *step.spill}) != len(listed) + len(step.spill):
        raise PlanError(f"{where}: a tensor is listed twice")
    if set(listed) != set(now):
        raise PlanError(f"{where}: addresses are given for {sorted(now)}, resident are {sorted(listed)}")
    for name in step.spill:
        if name not in before:
            raise PlanError(f"{where}: spills '{name}', which was not resident")
        if name in machine.host:
            raise PlanError(f"{where}: spills '{name}', of which host memory has a copy")
        machine.host.add(name)
    for name in step.preserve:
        if name not in before:
            raise PlanError(f"{where}: preserves '{name}', which was not resident")
        if before[name] != now[name]:
            raise PlanError(f"{where}: preserved '{name}' moved from {before[name]} to {now[name]}")
    for name in step.retrieve:
        if name not in machine.host or name in step.spill:
            raise PlanError(f"{where}: retrieves '{name}' before it was spilled")
    for name in (*step.create, *step.fetch):
        if name not in machine.size:
            raise PlanError(f"{where}: there is no tensor '{name}'")
        if name in machine.arrived:
            raise PlanError(f"{where}: creates '{name}' a second time")
        machine.arrived.add(name)
    for name in step.fetch:
        if name in machine.made_by:
            raise PlanError(f"{where}: fetches '{name}', which operator '{machine.made_by[name]}' makes")
        machine.host.add(name)
    machine.resident = now


def _check_space(machine: _Machine, where: str) -> None:
    """Check that everything resident lies inside the scratchpad and nothing overlaps."""
    end, below = 0, ""
    for address, name in sorted((address, name) for name, address in machine.resident.items()):
        if address < 0 or address + machine.size[name] > machine.capacity:
            raise PlanError(
                f"{where}: '{name}' lies at {address}..{address + machine.size[name]}, "
                f"the scratchpad has {machine.capacity} bytes"
            )
        if address < end:
            raise PlanError(f"{where}: '{name}' at {address} overlaps '{below}', which ends at {end}")
        end, below = address + machine.size[name], name
