"""What is minimised, and limits on what is not."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np

from mappers.nests.lattice import FloatArray
from workloads.errors import InputError
from workloads.nearest import nearest

Metric = Literal["latency", "energy", "edp", "area_delay"]
METRICS: tuple[Metric, ...] = ("latency", "energy", "edp", "area_delay")


@dataclass(frozen=True, slots=True)
class Objective:
    """Metrics in order of importance, and upper limits.

    Parameters
    ----------
    metrics : tuple of Metric
        The first is minimised; the next among the mappings that are best in all before it.
    limits : tuple of (Metric, Fraction)
        Mappings above a limit are not accepted. Latency in cycles, energy in pJ, their product, area x cycles.
    """

    metrics: tuple[Metric, ...] = ("edp",)
    limits: tuple[tuple[Metric, Fraction], ...] = ()

    def __post_init__(self) -> None:
        for name in (*self.metrics, *(metric for metric, _ in self.limits)):
            if name not in METRICS:
                raise InputError(f"objective '{name}' is unknown{nearest(name, METRICS)}; use {', '.join(METRICS)}")
        if not self.metrics or len(set(self.metrics)) != len(self.metrics):
            raise InputError(f"objective {list(self.metrics)}, bound is one or more distinct metrics; correct it")


def parse_objective(text: str, limits: tuple[str, ...] = ()) -> Objective:
    """Return the objective written as ``edp``, or ``latency,energy`` for a lexicographic one; limits ``energy=1e9``.

    Examples
    --------
    >>> parse_objective("latency,energy").metrics
    ('latency', 'energy')
    """
    found: list[tuple[Metric, Fraction]] = []
    for item in limits:
        name, equals, value = item.partition("=")
        try:
            number = Fraction(value)
        except (ValueError, ZeroDivisionError):
            number = Fraction(-1)
        if not equals or number <= 0:
            raise InputError(f"limit '{item}': expected METRIC=VALUE with a positive number, for example energy=1e9")
        found.append((name, number))  # type: ignore[arg-type]
    return Objective(tuple(text.split(",")), tuple(found))  # type: ignore[arg-type]


ROUNDING = 1 - 1e-12
"""Bounds are lowered by this factor: rounding must not prune the optimum."""


def metric_values(metric: Metric, energy_pj: FloatArray, latency: FloatArray, area: float) -> FloatArray:
    """Return a metric of several mappings, elementwise."""
    if metric == "energy":
        return energy_pj
    if metric == "edp":
        return np.asarray(energy_pj * latency, dtype=float)
    return np.asarray(latency if metric == "latency" else area * latency, dtype=float)


def limited_values(
    metric: Metric, limits: dict[Metric, float], energy_pj: FloatArray, latency: FloatArray, area: float
) -> FloatArray:
    """Return a metric of several mappings, infinite for those above a limit."""
    value = np.asarray(metric_values(metric, energy_pj, latency, area), dtype=float)
    for own, limit in limits.items():
        value = np.where(metric_values(own, energy_pj, latency, area) * ROUNDING > limit, np.inf, value)
    return value
