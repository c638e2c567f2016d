"""Naive twin of `sim.attribution`: asks every tick, by itself, where it went."""

from __future__ import annotations

from hw_models.accelerator import Accelerator
from mappers.commands import Program
from sim.raw_run import Run

Splits = list[dict[str, int]]


class NaiveAttribution:
    """Answers one tick at a time; a tick is the cycle that starts at it."""

    def __init__(self, program: Program, run: Run, accelerator: Accelerator) -> None:
        self.pairs = list(zip(program.commands, run.spans, strict=True))
        self.layers, self.run, self.accelerator = len(program.layers), run, accelerator
        self.on = {e: [p for p in self.pairs if p[0].engine == e] for e in ("load", "array", "vector", "store")}

    def splits(self) -> Splits:
        result: Splits = [{} for _ in range(self.layers)]
        ends = [
            max([s.end for c, s in self.pairs if c.layer <= i and c.engine != "load"], default=0)
            for i in range(self.layers)
        ]
        ends[-1] = self.run.cycles
        for tick in range(self.run.cycles):
            layer = next(i for i, end in enumerate(ends) if tick < end)
            cause = self.cause(tick, layer)
            result[layer][cause] = result[layer].get(cause, 0) + 1
        return result

    def cause(self, t: int, layer: int) -> str:
        own = {c.engine for c, _ in self.pairs if c.layer == layer}
        if "array" not in own and any(s.issue <= t < s.end for _, s in self.on["vector"]):
            return "compute"
        for command, span in self.on["array"]:
            if span.begin <= t < span.last:
                interval = max(command.job.stream, self.accelerator.core.array.rows)
                return "compute" if (t - span.begin) % interval < command.job.stream else "fill_drain"
        lead = "array" if "array" in own else "vector" if "vector" in own else None
        if lead:
            # The next command of the leading engine that has not started work, the one before having finished.
            upcoming = next(((c, s) for c, s in self.on[lead] if t < s.last), None)
            if upcoming and upcoming[0].layer == layer:
                return self.waited_for(t, *upcoming)
        return self.state(t)

    def waited_for(self, t: int, command, span) -> str:
        if t < span.head:
            return "fill_drain"
        if t >= span.ready:
            return "issue" if t < span.issue else "fill_drain"
        position = next(n for engine, n in command.waits if engine == span.cause)
        other = self.on[span.cause][position - 1][1]
        if span.cause == "store":
            return "dram_write"
        if span.cause == "array":
            return "fill_drain" if command.engine == "array" else "dependency"
        if other.ready <= t < other.issue:
            return "issue"
        if span.cause == "load":
            if t < other.head:
                return "dram_read"
            if t < other.ready:
                return "dependency"
            return (
                "dram_latency"
                if t < min(other.begin, other.issue + self.accelerator.dram.latency_cycles)
                else "dram_read"
            )
        if other.head <= t < other.ready:
            return {"store": "dram_write", "load": "dram_read", "array": "fill_drain"}.get(other.cause, "vector")
        return "vector"

    def state(self, t: int) -> str:
        q = self.run.bus_units
        if any(s.last <= t < s.end for _, s in self.on["array"]):
            return "fill_drain"
        if any(s.issue <= t < s.end for _, s in self.on["vector"]):
            return "vector"
        if any(s.ready <= t < s.issue for e in ("vector", "store") for _, s in self.on[e]):
            return "issue"
        if any(s.issue <= t < s.end for _, s in self.on["store"]):
            return "dram_write"
        if any(stream == 0 and start < (t + 1) * q and t * q < end for stream, start, end in self.run.bus):
            return "dram_read"
        if any(s.issue <= t < s.begin for _, s in self.on["load"]):
            return "dram_latency"
        return "dependency"


def naive_splits(program: Program, run: Run, accelerator: Accelerator) -> Splits:
    """Return per layer the ticks by what took them, zeros left out."""
    return NaiveAttribution(program, run, accelerator).splits()
