"""Plans: what is created, preserved, spilled and retrieved at each step, and at which address it lies.

Algorithms think in *stays*: a tensor lies at one address from its first to its last step. A plan is the same said
step by step, which is what a machine executes and what `interpreter` checks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from mappers.placement.graph import TensorGraph


@dataclass(frozen=True, slots=True)
class Stay:
    """A tensor (an index) in the scratchpad from step `first` to step `last`, both included; no address yet."""

    tensor: int
    first: int
    last: int

    def meets(self, other: Stay) -> bool:
        """Tell whether both are resident at some step."""
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True, slots=True)
class PlanStep:
    """One step of a plan: one operator runs.

    Parameters
    ----------
    operator : str
    create : tuple of str
        The operator's outputs.
    fetch : tuple of str
        Sources that arrive for the first time (compulsory, free of charge).
    preserve : tuple of str
        Tensors that stay from the step before, at their address.
    retrieve : tuple of str
        Tensors that come back from host memory; each costs its bytes.
    spill : tuple of str
        Tensors that were resident at the step before and are written to host memory now; each costs its bytes.
    addresses : mapping of str to int
        Byte address of every tensor that is resident at this step.
    """

    operator: str
    create: tuple[str, ...]
    fetch: tuple[str, ...]
    preserve: tuple[str, ...]
    retrieve: tuple[str, ...]
    spill: tuple[str, ...]
    addresses: Mapping[str, int]

    def __post_init__(self) -> None:
        object.__setattr__(self, "addresses", MappingProxyType(dict(self.addresses)))


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan of every step.

    Parameters
    ----------
    scratchpad_bytes : int
    steps : tuple of PlanStep
    """

    scratchpad_bytes: int
    steps: tuple[PlanStep, ...]

    def traffic_bytes(self, graph: TensorGraph) -> int:
        """Return the objective: bytes spilled plus bytes retrieved."""
        size = {tensor.name: tensor.size_bytes for tensor in graph.tensors}
        return sum(size[name] for step in self.steps for name in (*step.spill, *step.retrieve))

    def order(self, graph: TensorGraph) -> tuple[int, ...]:
        """Return the operators in the order of execution, by index."""
        place = {operator.name: i for i, operator in enumerate(graph.operators)}
        return tuple(place[step.operator] for step in self.steps)

    def to_json(self) -> list[dict[str, Any]]:
        """Return the steps as plain data."""
        return [
            {
                "step": t,
                "op": step.operator,
                "create": list(step.create),
                "fetch": list(step.fetch),
                "preserve": list(step.preserve),
                "retrieve": list(step.retrieve),
                "spill": list(step.spill),
                "addresses": dict(step.addresses),
            }
            for t, step in enumerate(self.steps)
        ]


def plan_of(graph: TensorGraph, order: Sequence[int], stays: Mapping[Stay, int], scratchpad_bytes: int) -> Plan:
    """Return the plan in which the stays of `stays` lie at their addresses.

    A tensor that leaves, comes back later and has no copy in host memory is spilled at the step after its stay.
    """
    count = len(order)
    arrive: list[list[Stay]] = [[] for _ in range(count)]
    spill: list[list[int]] = [[] for _ in range(count)]
    by_tensor: dict[int, list[Stay]] = {}
    for stay in sorted(stays, key=lambda s: (s.tensor, s.first)):
        by_tensor.setdefault(stay.tensor, []).append(stay)
        arrive[stay.first].append(stay)
    for tensor, own in by_tensor.items():
        if len(own) > 1 and graph.producer[tensor] >= 0:
            spill[own[0].last + 1].append(tensor)
    name = [tensor.name for tensor in graph.tensors]
    steps = []
    inside: list[Stay] = []
    for t, operator in enumerate(order):
        kept = [stay for stay in inside if stay.last >= t]
        inside = sorted((*kept, *arrive[t]), key=lambda s: s.tensor)
        fresh = [stay.tensor for stay in arrive[t] if by_tensor[stay.tensor][0] == stay]
        steps.append(
            PlanStep(
                graph.operators[operator].name,
                tuple(name[a] for a in fresh if graph.producer[a] >= 0),
                tuple(name[a] for a in fresh if graph.producer[a] < 0),
                tuple(name[stay.tensor] for stay in kept),
                tuple(name[s.tensor] for s in arrive[t] if by_tensor[s.tensor][0] != s),
                tuple(name[a] for a in sorted(spill[t])),
                {name[stay.tensor]: stays[stay] for stay in inside},
            )
        )
    return Plan(scratchpad_bytes, tuple(steps))
