"""One row of the validation table: a published figure, ours, the error, and whether it gates."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from workloads.errors import InputError

CONFIDENCE = ("read", "computed", "exact", "memory")
"""`read`: seen in a text; `computed`: arithmetic on such figures; `exact`: a peer that was run; `memory`: recalled."""


@dataclass(frozen=True, slots=True)
class Row:
    """A comparison.

    Parameters
    ----------
    published : float
        The figure; `low` and `high` instead where the source gives a range.
    tolerance : float
        Largest relative error; 0 asks for equality.
    gates : bool
        Whether an error beyond the tolerance fails the run. Recalled figures never gate.
    not_modelled : str
        What the comparison leaves out, and any condition it stands on.
    """

    machine: str
    workload: str
    quantity: str
    unit: str
    ours: float
    published: float | None
    source: str
    confidence: str
    tolerance: float = 0.0
    low: float | None = None
    high: float | None = None
    gates: bool = True
    not_modelled: str = ""

    def __post_init__(self) -> None:
        if self.confidence not in CONFIDENCE:
            raise InputError(f"row '{self.label}': confidence '{self.confidence}' is unknown; use one of {CONFIDENCE}")
        if self.gates and self.confidence == "memory":
            raise InputError(f"row '{self.label}': a recalled figure cannot gate; set gates to false")
        if (self.published is None) == (self.low is None or self.high is None):
            raise InputError(f"row '{self.label}': give either published, or low and high")

    @property
    def label(self) -> str:
        """Value of machine, workload and quantity in one."""
        return f"{self.machine} / {self.workload} / {self.quantity}"

    @property
    def error(self) -> float | None:
        """Value of (ours - published) / published; for a range, the distance from it over its nearer end."""
        if self.published is not None:
            if self.published == 0:
                return None if self.ours else 0.0
            return (self.ours - self.published) / self.published
        assert self.low is not None
        assert self.high is not None
        if self.low <= self.ours <= self.high:
            return 0.0
        nearer = self.low if self.ours < self.low else self.high
        return (self.ours - nearer) / nearer

    @property
    def within(self) -> bool:
        """Value: whether the error is within the tolerance."""
        error = self.error
        return error is not None and abs(error) <= self.tolerance + 1e-12

    @property
    def verdict(self) -> str:
        """Value ``ok``, ``FAIL``, or ``info`` where the row does not gate."""
        if not self.gates:
            return "info"
        return "ok" if self.within else "FAIL"

    def to_json(self) -> dict[str, Any]:
        """Return the row as plain data."""
        return asdict(self) | {"error": self.error, "within": self.within, "verdict": self.verdict}
