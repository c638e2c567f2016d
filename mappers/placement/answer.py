"""What `place_tensors` answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mappers.placement.plan import Plan


@dataclass(frozen=True, slots=True)
class Placement:
    """A replayed plan with its proof.

    Parameters
    ----------
    policy, schedule : str
    scratchpad_bytes : int
    objective_bytes : int
        Bytes spilled plus bytes retrieved.
    lower_bound_bytes : int
        No plan in `space` moves less.
    space : str
        What the bound and the proof range over.
    method : str
        How the plan was found.
    seconds, cpu_seconds : float
        Wall time and processor time, solver included.
    stopped : str
        ``""``, or why the search ended early.
    plan : Plan
    """

    policy: str
    schedule: str
    scratchpad_bytes: int
    objective_bytes: int
    lower_bound_bytes: int
    space: str
    method: str
    seconds: float
    cpu_seconds: float
    stopped: str
    plan: Plan

    @property
    def proven_optimal(self) -> bool:
        """Value telling whether objective and bound meet."""
        return self.objective_bytes == self.lower_bound_bytes

    @property
    def gap(self) -> float:
        """Value of (objective - bound) / objective; 0 when they meet."""
        if self.proven_optimal:
            return 0.0
        return (self.objective_bytes - self.lower_bound_bytes) / self.objective_bytes

    def to_json(self) -> dict[str, Any]:
        """Return the answer as plain data; times and what depends on them stand under ``timing``."""
        return {
            "schema": "tilewright.placement/1",
            "policy": self.policy,
            "schedule": self.schedule,
            "scratchpad_bytes": self.scratchpad_bytes,
            "objective_bytes": self.objective_bytes,
            "lower_bound_bytes": self.lower_bound_bytes,
            "proven_optimal": self.proven_optimal,
            "gap": self.gap,
            "seconds": round(self.seconds, 3),
            "cost_model": "bytes spilled plus bytes retrieved; compulsory traffic is free",
            "space": self.space,
            "method": self.method,
            "stopped": self.stopped,
            "plan": self.plan.to_json(),
        }
