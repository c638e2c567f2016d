"""Layer pipelines over cores: stages, initiation interval, and FIFO depths with a bound.

Every core runs a contiguous run of operators (a stage) on one item of a batch after the other. Weights stay with their
stage, whole, in the shared scratchpad where they fit, else they stream for every item. Tensors between operators of
different stages pass through FIFOs of whole tensors in the shared scratchpad; within a stage a tensor has one place.

A FIFO is a place per item: the maker of item i waits until the readers of item i - depth have ended. A tensor that
skips stages needs more places than one to the next stage. `fifo_depths` gives the depths at which nothing ever waits
for a place; simulation confirms them, and that one place less delays a maker or, at none, stops the pipeline.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workloads.errors import InputError


@dataclass(frozen=True, slots=True)
class Stage:
    """One core's operators: (name, cycles) in order."""

    core: str
    operators: tuple[tuple[str, int], ...]

    @property
    def cycles(self) -> int:
        """Value of the cycles of one item."""
        return sum(cycles for _, cycles in self.operators)


@dataclass(frozen=True)
class Pipeline:
    """Stages in order, and the tensors between operators: (tensor, maker, readers).

    Raises
    ------
    InputError
        If a tensor names an operator that no stage has, or is read by an earlier stage.
    """

    stages: tuple[Stage, ...]
    tensors: tuple[tuple[str, str, tuple[str, ...]], ...]

    def __post_init__(self) -> None:
        place = self.places
        for tensor, maker, readers in self.tensors:
            for name in (maker, *readers):
                if name not in place:
                    raise InputError(f"pipeline: tensor '{tensor}' names operator '{name}', which no stage has")
            for reader in readers:
                if place[reader] <= place[maker]:
                    raise InputError(
                        f"pipeline: '{reader}' reads '{tensor}' before or beside its maker '{maker}'; put it later"
                    )

    @property
    def places(self) -> dict[str, tuple[int, int]]:
        """Value of (stage, place in it) of every operator."""
        return {name: (s, i) for s, stage in enumerate(self.stages) for i, (name, _) in enumerate(stage.operators)}

    def with_cycles(self, cycles: Mapping[str, int]) -> Pipeline:
        """Return the same stages with other cycles of their operators, by name."""
        stages = tuple(Stage(s.core, tuple((name, cycles[name]) for name, _ in s.operators)) for s in self.stages)
        return Pipeline(stages, self.tensors)

    @property
    def interval_cycles(self) -> int:
        """Value of the initiation interval: the slowest stage."""
        return max(stage.cycles for stage in self.stages)

    def starts(self) -> dict[str, int]:
        """Return the earliest start of every operator for one item alone, cores otherwise idle."""
        cycles = {name: own for stage in self.stages for name, own in stage.operators}
        needs: dict[str, list[str]] = {name: [] for name in cycles}
        for _, maker, readers in self.tensors:
            for reader in readers:
                needs[reader].append(maker)
        found: dict[str, int] = {}
        for stage in self.stages:
            free = 0
            for name, own in stage.operators:
                found[name] = max([free, *(found[maker] + cycles[maker] for maker in needs[name])])
                free = found[name] + own
        return found


def latency_cycles(pipeline: Pipeline) -> int:
    """Return the cycles of one item through an empty pipeline."""
    cycles = {name: own for stage in pipeline.stages for name, own in stage.operators}
    return max(start + cycles[name] for name, start in pipeline.starts().items())


def batch_cycles(pipeline: Pipeline, items: int) -> int:
    """Return the cycles of `items` items with FIFOs that never stall, by the in-order recurrence of the cores.

    Operator o of item i starts when its makers of item i have ended and its core has finished what stands before.
    """
    cycles = {name: own for stage in pipeline.stages for name, own in stage.operators}
    needs: dict[str, list[str]] = {name: [] for name in cycles}
    for _, maker, readers in pipeline.tensors:
        for reader in readers:
            needs[reader].append(maker)
    free = [0] * len(pipeline.stages)
    last = 0
    for _ in range(items):
        ends: dict[str, int] = {}
        for s, stage in enumerate(pipeline.stages):
            for name, own in stage.operators:
                begin = max([free[s], *(ends[maker] for maker in needs[name])])
                ends[name] = free[s] = begin + own
        last = max(last, *ends.values())
    return last


def fifo_depths(pipeline: Pipeline, items: int) -> dict[str, int]:
    """Return, per tensor, the places at which `items` items run as if FIFOs were without end.

    In the run without bounds (the recurrence of `batch_cycles`) the maker of item i starts at some cycle. Its places
    are those of items whose last reader has not ended by then, item i included. With so many no maker ever waits, so
    the bound is enough; it is also needed to keep every one of these start times.
    """
    cycles = {name: own for stage in pipeline.stages for name, own in stage.operators}
    needs: dict[str, list[str]] = {name: [] for name in cycles}
    for _, maker, readers in pipeline.tensors:
        for reader in readers:
            needs[reader].append(maker)
    free = [0] * len(pipeline.stages)
    begins: dict[str, list[int]] = {name: [] for name in cycles}
    ends: dict[str, list[int]] = {name: [] for name in cycles}
    for item in range(items):
        for s, stage in enumerate(pipeline.stages):
            for name, own in stage.operators:
                begin = max([free[s], *(ends[maker][item] for maker in needs[name])])
                begins[name].append(begin)
                free[s] = begin + own
                ends[name].append(free[s])
    depths = {}
    for tensor, maker, readers in pipeline.tensors:
        freed = [max(ends[reader][item] for reader in readers) for item in range(items)]
        depths[tensor] = max(
            sum(1 for earlier in range(item + 1) if freed[earlier] > begins[maker][item]) for item in range(items)
        )
    return depths


def balanced_stages(
    operators: Sequence[str], cycles: Mapping[str, Mapping[str, int]], cores: Sequence[str]
) -> tuple[Stage, ...] | None:
    """Return contiguous stages on `cores` in this order with the shortest interval; None if some core lacks one."""
    from mappers.network.fuse import stages_of

    table = [[cycles[name].get(core) for core in cores] for name in operators]
    stage = stages_of(table, len(cores))
    if stage is None:
        return None
    parts: list[list[tuple[str, int]]] = [[] for _ in cores]
    for name, own in zip(operators, stage, strict=True):
        parts[own].append((name, cycles[name][cores[own]]))
    return tuple(Stage(core, tuple(part)) for core, part in zip(cores, parts, strict=True) if part)
