"""Errors that reach a user, and infeasibility as a result (§3.6, §3.7, §4)."""

from __future__ import annotations

from dataclasses import dataclass, field


class TilewrightError(Exception):
    """Base of every error that is shown to a user without a traceback.

    The message states subject, value, bound and remedy (§3.6).
    """

    exit_code: int = 70


class InputError(TilewrightError):
    """Usage or input that cannot be accepted: exit code 2."""

    exit_code = 2


class MismatchError(TilewrightError):
    """Two models that must agree do not: exit code 4."""

    exit_code = 4


class InternalError(TilewrightError):
    """A run violated its own physics (§3.9): exit code 70."""

    exit_code = 70


@dataclass(frozen=True, slots=True)
class Infeasible:
    """Why no answer exists (§3.7).

    Parameters
    ----------
    subject : str
        What cannot be done, for example ``layer 'fc6' on 'edge_int8'``.
    constraint : str
        Name of the violated constraint, for example ``capacity[weight]``.
    demand, bound : int
        Least demand found and the bound it exceeds, both in `unit`.
    unit : str
        Unit of both, for example ``bytes``.
    levers : tuple of str
        Changes of the input that would make it feasible.
    """

    subject: str
    constraint: str
    demand: int
    bound: int
    unit: str
    levers: tuple[str, ...] = field(default=())

    @property
    def gap(self) -> int:
        """Value of demand minus bound, in `unit`."""
        return self.demand - self.bound

    def __str__(self) -> str:
        remedy = "; ".join(self.levers) if self.levers else "no single change found"
        return (
            f"{self.subject}: {self.constraint} needs {self.demand} {self.unit}, "
            f"bound is {self.bound} {self.unit} (short by {self.gap}); {remedy}"
        )


class InfeasibleError(TilewrightError):
    """No mapping exists; carries the reason: exit code 3."""

    exit_code = 3

    def __init__(self, record: Infeasible) -> None:
        super().__init__(str(record))
        self.record = record
