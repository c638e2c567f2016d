"""A pipeline: stages and the FIFOs between their ports, checked before anything runs."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

from hw_models.streaming.links import WidthChange
from hw_models.streaming.stages import MAX_WORDS, Stage
from workloads.errors import InputError

UNBOUNDED = 0
"""Depth of a FIFO without limit."""


@dataclass(frozen=True, slots=True)
class Channel:
    """A FIFO of `depth` words from port `source_port` of stage `source` to port `target_port` of stage `target`.

    A word written in one cycle can be read in the next; a place freed in one cycle can be filled in the next.
    Depth 0 is a FIFO without limit.
    """

    source: str
    target: str
    depth: int = 2
    source_port: int = 0
    target_port: int = 0

    @property
    def name(self) -> str:
        """Value of the name in reports."""
        return f"{self.source}->{self.target}"


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Stages and channels.

    Raises
    ------
    InputError
        For an unknown or repeated stage, a port that is open or joined twice, FIFOs of negative depth, and streams
        whose two ends disagree about words per image or elements per word.
    """

    name: str
    stages: tuple[Stage, ...]
    channels: tuple[Channel, ...]

    def __post_init__(self) -> None:
        names = [stage.name for stage in self.stages]
        if len(set(names)) != len(names) or not names:
            double = sorted({name for name in names if names.count(name) > 1})
            raise InputError(f"pipeline '{self.name}': stages {double} are given twice; name each once")
        table = dict(zip(names, self.stages, strict=True))
        ends: dict[tuple[str, str, int], int] = {}
        for channel in self.channels:
            for side, name, port in (
                ("out", channel.source, channel.source_port),
                ("in", channel.target, channel.target_port),
            ):
                if name not in table:
                    raise InputError(f"pipeline '{self.name}': FIFO {channel.name} names no stage '{name}'; add it")
                key = (side, name, port)
                ends[key] = ends.get(key, 0) + 1
            if channel.depth < 0:
                raise InputError(
                    f"pipeline '{self.name}': FIFO {channel.name} has depth {channel.depth}, bound is >= 0 "
                    f"(0: without limit); correct it"
                )
            self._check_stream(channel, table[channel.source], table[channel.target])
        for stage in self.stages:
            for side, count in zip(("in", "out"), stage.ports, strict=True):
                last = side == "out" and not any(c.source == stage.name for c in self.channels)
                for port in range(0 if last else count):
                    if ends.pop((side, stage.name, port), 0) != 1:
                        raise InputError(
                            f"pipeline '{self.name}': {side}put port {port} of stage '{stage.name}' needs exactly one "
                            f"FIFO; join it once"
                        )
            if max(stage.words_in, stage.words_out) > MAX_WORDS:
                raise InputError(
                    f"stage '{stage.name}': {max(stage.words_in, stage.words_out)} words per image, bound is "
                    f"{MAX_WORDS}; shrink the image or widen the words"
                )
        if ends:
            raise InputError(f"pipeline '{self.name}': ports {sorted(ends)} do not exist; correct the FIFOs")

    def _check_stream(self, channel: Channel, source: Stage, target: Stage) -> None:
        given, taken = source.words_out, target.words_in
        if given != taken:
            raise InputError(
                f"pipeline '{self.name}': FIFO {channel.name} is given {given} words per image and {taken} are taken; "
                f"make both ends agree (a width converter changes words)"
            )
        if source.element_out and target.element_in and source.element_out != target.element_in:
            raise InputError(
                f"pipeline '{self.name}': FIFO {channel.name} carries words of {source.element_out} elements, stage "
                f"'{target.name}' takes {target.element_in}; put a width converter between them"
            )

    def with_depths(self, depths: dict[str, int]) -> Pipeline:
        """Return the pipeline with other FIFO depths, by channel name."""
        return replace(self, channels=tuple(replace(c, depth=depths.get(c.name, c.depth)) for c in self.channels))

    @property
    def interval_bound_cycles(self) -> int:
        """Value of the cycles of the slowest unit: no initiation interval is below it."""
        return max(stage.cycles for stage in self.stages)


def chain(name: str, stages: Sequence[Stage], depth: int = 2) -> Pipeline:
    """Return stages one after another, with width converters where words differ, every FIFO `depth` deep."""
    line: list[Stage] = []
    for stage in stages:
        if line and line[-1].element_out and stage.element_in and line[-1].element_out != stage.element_in:
            given, taken = line[-1].element_out, stage.element_in
            line.append(WidthChange(f"{stage.name}.width", line[-1].words_out * given, given, taken))
        line.append(stage)
    links = tuple(Channel(a.name, b.name, depth) for a, b in itertools.pairwise(line))
    return Pipeline(name, tuple(line), links)
