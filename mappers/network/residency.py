"""What stays in the shared scratchpad and when: the plan object that every policy fills and the lowering reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal, Protocol

from mappers.network.graph import OperatorGraph
from workloads.errors import InputError


@dataclass(frozen=True, slots=True)
class Stay:
    """A tensor at `address` from step `first` to step `last` of the order, both included.

    Parameters
    ----------
    entry : {"make", "load"}
        Whether the operator of step `first` makes it there, or DMA brings it in before that step.
    spill : bool
        Whether it is written to DRAM while it stays, because it is read from there later.
    """

    tensor: str
    address: int
    first: int
    last: int
    entry: Literal["make", "load"]
    spill: bool = False


@dataclass(frozen=True, slots=True)
class Residency:
    """Order of the operators and the stays of tensors; what has no stay at a step streams.

    Parameters
    ----------
    order : tuple of int
        Operators (places in `OperatorGraph.operators`) in the order of execution.
    objective : str
        What the policy made least: ``bytes`` (over the DRAM channel) or ``cycles`` (of its step model).
    value, bound : float or None
        That of the plan, and what is proven that no plan of the policy's model can undercut.
    """

    policy: str
    order: tuple[int, ...]
    stays: tuple[Stay, ...]
    objective: str = "bytes"
    value: float | None = None
    bound: float | None = None

    def at(self, tensor: str, step: int) -> Stay | None:
        """Return the stay of `tensor` that covers `step`."""
        for stay in self.stays:
            if stay.tensor == tensor and stay.first <= step <= stay.last:
                return stay
        return None

    def with_bound(self, value: float, bound: float) -> Residency:
        """Return this residency with what its policy states of it."""
        return replace(self, value=value, bound=bound)

    def facts(self) -> dict[str, object]:
        """Return what a result says of the plan, as plain data."""
        proven = self.value is not None and self.bound is not None and self.value - self.bound <= 1e-6 * abs(self.value)
        return {
            "policy": self.policy,
            "objective": self.objective,
            "value": self.value,
            "bound": self.bound,
            "proven_optimal": proven,
            "stays": [asdict(stay) for stay in self.stays],
        }


class PlacedStep(Protocol):
    """One step of a tensor placement plan (`mappers.placement`)."""

    @property
    def operator(self) -> str: ...
    @property
    def create(self) -> tuple[str, ...]: ...
    @property
    def fetch(self) -> tuple[str, ...]: ...
    @property
    def preserve(self) -> tuple[str, ...]: ...
    @property
    def retrieve(self) -> tuple[str, ...]: ...
    @property
    def spill(self) -> tuple[str, ...]: ...
    @property
    def addresses(self) -> Mapping[str, int]: ...


def from_steps(graph: OperatorGraph, policy: str, steps: Sequence[PlacedStep]) -> Residency:
    """Return a placement plan step by step as stays."""
    place = {op.name: index for index, op in enumerate(graph.operators)}
    missing = [step.operator for step in steps if step.operator not in place]
    if missing or len(steps) != len(place):
        raise InputError(
            f"placement plan: {len(steps)} steps for {len(place)} operators, "
            f"{missing[0] if missing else 'none'} is unknown; place this network's own graph"
        )
    spilled = {name for step in steps for name in step.spill}
    open_at: dict[str, tuple[int, int, Literal["make", "load"]]] = {}
    stays: list[Stay] = []
    seen: set[str] = set()

    def close(names: Iterable[str], last: int) -> None:
        for name in names:
            first, address, entry = open_at.pop(name)
            # the value is written out once, during its first stay
            stays.append(Stay(name, address, first, last, entry, name in spilled and name not in seen))
            seen.add(name)

    for t, step in enumerate(steps):
        close([name for name in list(open_at) if name not in step.preserve], t - 1)
        for names, entry in ((step.create, "make"), (step.fetch, "load"), (step.retrieve, "load")):
            for name in names:
                open_at[name] = (t, step.addresses[name], "make" if entry == "make" else "load")
    close(list(open_at), len(steps) - 1)
    moved = sum(graph.bytes_of[name] for step in steps for name in (*step.spill, *step.retrieve))
    return Residency(policy, tuple(place[step.operator] for step in steps), tuple(stays), value=moved)


def nothing_stays(graph: OperatorGraph) -> Residency:
    """Return the baseline: every operand of every operator streams from and to DRAM."""
    return Residency("none", tuple(range(len(graph.operators))), ())
