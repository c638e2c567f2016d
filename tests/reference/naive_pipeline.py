"""Cycle-stepped twin of `sim.pipeline`: every unit is asked every cycle; written without counters or time stamps.

Sources, matrix-vector units (latency 1), forks and joins (latency 1). A word written in cycle c can be read from c + 1,
a place freed in c can be filled from c + 1; a unit whose result finds no room stands still.
"""

from __future__ import annotations

from collections import deque

from hw_models.streaming.links import Fork, Join
from hw_models.streaming.stages import MatrixVector, Source, Stage
from sim.pipeline import Pipeline


class _Fifo:
    def __init__(self, depth: int) -> None:
        self.depth, self.words, self.taken, self.come = depth, 0, 0, 0

    def room(self) -> bool:
        # `words` is the fill at the start of the cycle: places freed in this cycle do not count yet.
        return self.depth == 0 or self.words + self.come < self.depth

    def end_cycle(self) -> None:
        self.words += self.come - self.taken
        self.taken = self.come = 0


class _Unit:
    def __init__(self, stage: Stage, inputs: list[_Fifo], outputs: list[_Fifo], images: int) -> None:
        self.stage, self.inputs, self.outputs, self.images = stage, inputs, outputs, images
        self.held: deque[bool] = deque()  # results due this cycle
        self.step, self.done, self.wait = 0, [], 0

    def total_steps(self) -> int:
        s = self.stage
        per = s.cycles if isinstance(s, MatrixVector) else s.words_out
        return per * self.images

    def cycle(self, now: int) -> None:
        if self.held:
            if not all(f.room() for f in self.outputs):
                return
            for f in self.outputs:
                f.come += 1
            self.held.popleft()
        if self.step >= self.total_steps():
            self._finish(now)
            return
        s = self.stage
        if isinstance(s, Source):
            if now < self.wait or not self.outputs[0].room():
                return
            self.outputs[0].come += 1
            self.wait = now + s.interval_cycles
            self.step += 1
            return
        per_vector = s.row_folds * s.col_folds if isinstance(s, MatrixVector) else 1
        within = self.step % per_vector
        needs = within < s.col_folds if isinstance(s, MatrixVector) else True
        if needs:
            if not all(f.words - f.taken > 0 for f in self.inputs):
                return
            for f in self.inputs:
                f.taken += 1
        self.step += 1
        ends = (within + 1) % s.col_folds == 0 if isinstance(s, MatrixVector) else True
        if ends:
            self.held.append(True)

    def _finish(self, now: int) -> None:
        if not self.held and not self.done:
            self.done.append(now)


def last_cycle(pipeline: Pipeline, images: int, limit: int = 100_000) -> int | None:
    """Return the cycle in which the last unit ends, None if nothing ends within `limit` cycles."""
    fifos = {c: _Fifo(c.depth) for c in pipeline.channels}
    units = []
    for stage in pipeline.stages:
        assert isinstance(stage, Source | MatrixVector | Fork | Join)
        inputs = [fifos[c] for c in sorted((c for c in fifos if c.target == stage.name), key=lambda c: c.target_port)]
        outputs = [fifos[c] for c in sorted((c for c in fifos if c.source == stage.name), key=lambda c: c.source_port)]
        units.append(_Unit(stage, inputs, outputs, images))
    for now in range(limit):
        for unit in units:
            unit.cycle(now)
        for fifo in fifos.values():
            fifo.end_cycle()
        if all(unit.done for unit in units):
            return max(unit.done[0] for unit in units)
    return None
