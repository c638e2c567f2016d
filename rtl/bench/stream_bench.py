"""cocotb bench of every stream core: plays works from a file and writes what came out to another.

It judges the interface (X values, standing offers, surplus beats, hangs) and nothing else: values and cycles are
compared by whoever wrote the works.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from random import Random
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, ReadOnly

from rtl.bench.stream_protocol import (
    PortBeats,
    StreamReport,
    StreamRequest,
    StreamScenarioReport,
    StreamScenarioRequest,
)
from rtl.bench.streams import ProtocolError, Sink, Source


class TB:
    """Clock, reset, and a source or sink per port."""

    def __init__(self, dut: Any, request: StreamRequest) -> None:
        self.dut, self.request = dut, request
        self.cycle = 0
        self.handshakes = [f"{port}_tready" for port in request["inputs"]]
        self.handshakes += [f"{port}_{signal}" for port in request["outputs"] for signal in ("tvalid", "tlast")]
        Clock(dut.clk, 10, unit="ns").start()

    def check_parameters(self) -> None:
        """Compare the elaborated parameters with those the works were made for."""
        expected = self.request["parameters"]
        elaborated = {key: int(getattr(self.dut, key).value) for key in expected}
        if elaborated != expected:
            raise ProtocolError(f"elaborated parameters {elaborated} are not the expected {expected}")

    async def tick(self) -> None:
        """Go to the middle of the next cycle."""
        await FallingEdge(self.dut.clk)
        self.cycle += 1

    async def reset(self, busy: bool = False) -> None:
        """Hold reset over one rising edge, with all inputs idle or, if `busy`, all of them set; leave them idle."""
        await self.tick()
        self.drive(int(busy))
        for name in self.request["settings"]:
            getattr(self.dut, name).value = 0
        self.dut.rst.value = 1
        await self.tick()
        self.drive(0)
        self.dut.rst.value = 0

    def drive(self, level: int) -> None:
        """Set every valid and ready that the core reads."""
        for port in self.request["inputs"]:
            getattr(self.dut, f"{port}_tvalid").value = level
        for port in self.request["outputs"]:
            getattr(self.dut, f"{port}_tready").value = level

    def connect(self, scenario: StreamScenarioRequest) -> tuple[dict[str, Source], dict[str, Sink]]:
        """Return fresh sources and sinks, with the pauses of `scenario` drawn from its seed."""
        dut, seed = self.dut, scenario["seed"]
        sources = {}
        for place, port in enumerate(self.request["inputs"]):
            payload = [getattr(dut, f"{port}_tdata")]
            if hasattr(dut, f"{port}_tlast"):
                payload.append(getattr(dut, f"{port}_tlast"))
            sources[port] = Source(
                getattr(dut, f"{port}_tvalid"),
                getattr(dut, f"{port}_tready"),
                payload,
                Random(seed + place),
                scenario["idle_percent"],
            )
        sinks = {
            port: Sink(
                getattr(dut, f"{port}_tvalid"),
                getattr(dut, f"{port}_tready"),
                getattr(dut, f"{port}_tdata"),
                getattr(dut, f"{port}_tlast"),
                Random(seed + 100 + place),
                scenario["back_pressure_percent"],
            )
            for place, port in enumerate(self.request["outputs"])
        }
        return sources, sinks

    async def play(self, scenario: StreamScenarioRequest, limit_cycles: int | None = None) -> StreamScenarioReport:
        """Run the works of `scenario`; with `limit_cycles`, leave off there."""
        sources, sinks = self.connect(scenario)
        works, results = scenario["works"], scenario["results"]
        beats: list[dict[str, PortBeats]] = [
            {port: {"data": [], "last": []} for port in self.request["outputs"]} for _ in works
        ]
        bounds = _bounds(works, self.request["inputs"])
        first: list[int] = []
        taken = dict.fromkeys(self.request["inputs"], 0)
        at = dict.fromkeys(self.request["outputs"], 0)
        last = [-1] * len(works)
        sent, start = 0, self.cycle

        def finished() -> int:
            for work, wanted in enumerate(results):
                if any(len(beats[work][port]["data"]) < count for port, count in wanted.items()):
                    return work
            return len(works)

        def take(port: str, beat: tuple[int, bool]) -> None:
            while at[port] < len(works) and len(beats[at[port]][port]["data"]) == results[at[port]][port]:
                at[port] += 1
            if at[port] == len(works):
                raise ProtocolError(f"surplus beat {beat[0]:#x} on {port}")
            if at[port] >= len(first):
                raise ProtocolError(f"beat {beat[0]:#x} on {port} before any input of its work")
            beats[at[port]][port]["data"].append(f"{beat[0]:x}")
            beats[at[port]][port]["last"].append(beat[1])
            last[at[port]] = self.cycle

        while finished() < len(works) and (limit_cycles is None or self.cycle - start < limit_cycles):
            if self.cycle - start > scenario["timeout_cycles"]:
                raise ProtocolError(f"no end after {scenario['timeout_cycles']} cycles, {finished()} works done")
            while sent < len(works) and (scenario["back_to_back"] or sent == finished()):
                for name, value in scenario["settings"][sent].items():
                    getattr(self.dut, name).value = value
                for port, source in sources.items():
                    source.send(_payload(self.dut, port, works[sent][port]))
                sent += 1
            await self.tick()
            outputs = self.outputs() if scenario["check_paths"] else None
            for port, source in sources.items():
                if source.cycle():
                    taken[port] += 1
                    if len(first) < len(works) and taken[port] > bounds[port][len(first)]:
                        first.append(self.cycle)
            for port, sink in sinks.items():
                if (beat := sink.cycle()) is not None:
                    take(port, beat)
            if outputs is not None:
                await ReadOnly()
                if self.outputs() != outputs:
                    raise ProtocolError("an output depends combinationally on an input")
        if limit_cycles is None:
            for _ in range(self.request["drain_cycles"]):
                await self.tick()
                for port, sink in sinks.items():
                    if (beat := sink.cycle()) is not None:
                        take(port, beat)
        return {"first_cycles": first, "last_cycles": last, "beats": beats}

    def outputs(self) -> list[str]:
        """Return the outputs of the core that a handshake may read in this cycle."""
        return [str(getattr(self.dut, name).value) for name in self.handshakes]


def _bounds(works: list[dict[str, PortBeats]], ports: list[str]) -> dict[str, list[int]]:
    """Return per port the beats that stand before each work."""
    bounds: dict[str, list[int]] = {}
    for port in ports:
        total, bounds[port] = 0, []
        for work in works:
            bounds[port].append(total)
            total += len(work[port]["data"])
    return bounds


def _payload(dut: Any, port: str, beats: PortBeats) -> list[tuple[int, ...]]:
    """Return beats as the values of the port's payload signals."""
    if hasattr(dut, f"{port}_tlast"):
        return [(int(word, 16), int(last)) for word, last in zip(beats["data"], beats["last"], strict=True)]
    return [(int(word, 16),) for word in beats["data"]]


@cocotb.test()
async def run_scenarios(dut: Any) -> None:
    """Play every scenario of the input file on one core, without reset between them unless a scenario asks for one."""
    request: StreamRequest = json.loads(Path(os.environ["TILEWRIGHT_BENCH_REQUEST"]).read_text(encoding="utf-8"))
    report: StreamReport = {"scenarios": [], "error": None}
    tb = TB(dut, request)
    try:
        tb.check_parameters()
        await tb.reset()
        for scenario in request["scenarios"]:
            if scenario["reset_after_cycles"] is not None:
                await tb.play(scenario, limit_cycles=scenario["reset_after_cycles"])
                await tb.reset(scenario["reset_busy"])
            report["scenarios"].append(await tb.play(scenario))
    except (ProtocolError, ValueError) as error:  # ValueError: an X where a number is needed
        report["error"] = f"scenario {len(report['scenarios'])}, cycle {tb.cycle}: {error}"
    Path(os.environ["TILEWRIGHT_BENCH_REPORT"]).write_text(json.dumps(report), encoding="utf-8")
    assert report["error"] is None, report["error"]
