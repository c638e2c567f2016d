"""One engine for every pass plan: stages in a row, shared resources, bounded buffers between stages.

A pass goes through the stages of its layer in order. It enters a stage when

* it has left the stage before (plus the memory latency after the first stage),
* the pass before it has entered and left this stage, and
* the pass `buffers` before it has left the next stage: its buffer is free,

and then holds the stage's resource for its cycles; requests for one resource are served in the order in which they
come. Nothing here knows a dataflow or a machine.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import simpy

from mappers.passes.plan import LayerPasses
from sim.progress import StuckError, report, run_watched
from workloads.errors import InternalError


@dataclass(frozen=True, slots=True)
class PassRun:
    """Outcome of one layer.

    Parameters
    ----------
    cycles : int
        From the first request to the last result.
    bound_cycles : int
        Busiest resource; never above `cycles`.
    compute_cycles : int
        Cycles in which the arithmetic stage works.
    stall_cycles : dict
        Per cause, the other cycles; with `compute_cycles` they sum to `cycles`.
    busy_cycles : dict
        Per resource.
    spans : tuple
        Per pass and stage, (start, end).
    """

    name: str
    macs: int
    cycles: int
    bound_cycles: int
    compute_cycles: int
    stall_cycles: dict[str, int]
    busy_cycles: dict[str, int]
    spans: tuple[tuple[tuple[int, int], ...], ...]


class _Engine:
    def __init__(self, plan: LayerPasses) -> None:
        self._env = simpy.Environment()
        self._plan = plan
        self._resources = {
            name: simpy.Resource(self._env) for name in sorted({stage.resource for stage in plan.stages})
        }
        count, depth = len(plan.work_cycles), len(plan.stages)
        self._left: list[list[simpy.Event]] = [[self._env.event() for _ in range(count)] for _ in range(depth)]
        self.spans: list[list[tuple[int, int]]] = [[(-1, -1)] * depth for _ in range(count)]

    def run(self) -> int:
        """Run every pass; return the cycles."""
        for stage in range(len(self._plan.stages)):
            self._env.process(self._stage(stage))
        run_watched(self._env, self._ended, self._waiting)
        rows = self._waiting()
        if rows:
            subject = f"layer '{self._plan.name}': the plan is wrong"
            raise StuckError(report(subject, int(self._env.now), "nothing more happens", rows))
        return max((row[-1][1] for row in self.spans), default=0)

    def _ended(self) -> int:
        return sum(start >= 0 for row in self.spans for start, _ in row)

    def _waiting(self) -> list[str]:
        """Return one line per stage that is not through: the pass it stands at."""
        rows = []
        for index, stage in enumerate(self._plan.stages):
            left = [number for number, row in enumerate(self.spans) if row[index][0] < 0]
            if left:
                rows.append(f"stage '{stage.name}' ({stage.resource}) stands at pass {left[0]} of {len(self.spans)}")
        return rows

    def _stage(self, index: int) -> Generator[simpy.Event, Any, None]:
        env, plan = self._env, self._plan
        spec = plan.stages[index]
        resource, last = self._resources[spec.resource], index == len(plan.stages) - 1
        for number, work in enumerate(plan.work_cycles):
            if index:
                yield self._left[index - 1][number]
            if not last and number >= spec.buffers:
                yield self._left[index + 1][number - spec.buffers]
            if work[index]:
                request = resource.request()
                yield request
                start = int(env.now)
                yield env.timeout(work[index])
                resource.release(request)
            else:
                start = int(env.now)
            end = int(env.now)
            self.spans[number][index] = (start, end)
            event = self._left[index][number]
            if index == 0 and plan.latency_cycles:
                delayed = env.timeout(plan.latency_cycles)
                delayed.callbacks.append(partial(_succeed, event))
            else:
                event.succeed()


def _succeed(event: simpy.Event, _: simpy.Event) -> None:
    event.succeed()


def _lead(plan: LayerPasses) -> int:
    """Return the index of the stage that does the arithmetic."""
    names = [stage.name for stage in plan.stages]
    named = [index for index, name in enumerate(names) if name in ("array", "arithmetic")]
    return named[-1] if named else next(index for index in reversed(range(len(names))) if names[index] != "store")


def _attribute(plan: LayerPasses, spans: Sequence[Sequence[tuple[int, int]]], cycles: int) -> dict[str, int]:
    """Give every cycle in which the arithmetic stage rests to one cause: a stage before it, or the tail after it."""
    lead = _lead(plan)
    stalls = {stage.name: 0 for index, stage in enumerate(plan.stages) if index != lead}
    stalls |= {"buffer": 0, "latency": 0}
    before = 0
    for row in spans:
        start, end = row[lead]
        rest = [(before, start)]
        for index in range(lead - 1, -1, -1):
            low, high = row[index]
            left = []
            for a, b in rest:
                c, d = max(a, low), min(b, high)
                if c < d:
                    stalls[plan.stages[index].name] += d - c
                    left += [(a, c), (d, b)]
                else:
                    left.append((a, b))
            rest = [(a, b) for a, b in left if a < b]
        arrived = row[0][1]
        for a, b in rest:
            late = max(0, min(b, arrived + plan.latency_cycles) - max(a, arrived)) if lead else 0
            stalls["latency"] += late
            stalls["buffer"] += b - a - late
        before = end
    if lead < len(plan.stages) - 1:
        stalls[plan.stages[-1].name] += cycles - before
    return stalls


def run_passes(plan: LayerPasses) -> PassRun:
    """Run one layer.

    Raises
    ------
    InternalError
        If the parts do not sum to the total, or the run is shorter than its busiest resource.
    """
    engine = _Engine(plan)
    cycles = engine.run()
    lead = _lead(plan)
    compute = sum(work[lead] for work in plan.work_cycles)
    stalls = _attribute(plan, engine.spans, cycles)
    if compute + sum(stalls.values()) != cycles or cycles < plan.bound_cycles:
        raise InternalError(
            f"layer '{plan.name}': {compute} cycles of arithmetic and {sum(stalls.values())} of stalls, "
            f"total {cycles}, bound {plan.bound_cycles}; the attribution is wrong"
        )
    return PassRun(
        plan.name, plan.macs, cycles, plan.bound_cycles, compute, stalls, plan.busy_cycles,
        tuple(tuple(row) for row in engine.spans),
    )  # fmt: skip
