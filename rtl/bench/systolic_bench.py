"""cocotb bench of the systolic cores: plays scenarios from a file and writes what it saw to another.

It judges the interface (X values, standing offers, tlast, hangs, surplus results) and nothing else: values and cycles
are compared by whoever wrote the scenarios.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, ReadOnly

from rtl.bench.protocol import JobRequest, Report, Request, ScenarioReport, ScenarioRequest
from rtl.bench.streams import ProtocolError, Sink, Source

_OUTPUTS = ("cfg_ready", "s_axis_w_tready", "s_axis_a_tready", "m_axis_o_tvalid", "m_axis_o_tlast")


@dataclass
class Progress:
    """Jobs of a scenario while they run; times are cycles since the start of the simulation."""

    jobs: list[JobRequest]
    issue_cycles: list[int]
    last_cycles: list[int]
    beats: list[list[str]]

    @property
    def done(self) -> bool:
        """Tell whether the last result of the last job was taken."""
        return len(self.last_cycles) == len(self.jobs)

    def take(self, beat: tuple[int, bool], cycle: int) -> None:
        """Record a result beat of the job under way."""
        data, last = beat
        if self.done:
            raise ProtocolError(f"surplus result {data:#x} after the last job")
        job = len(self.last_cycles)
        if job >= len(self.issue_cycles):
            raise ProtocolError(f"result {data:#x} for job {job}, which was not issued")
        self.beats[job].append(f"{data:x}")
        complete = len(self.beats[job]) == self.jobs[job]["results"]
        if last != complete:
            raise ProtocolError(
                f"job {job}: tlast is {int(last)} on result {len(self.beats[job])} of {self.jobs[job]['results']}"
            )
        if complete:
            self.last_cycles.append(cycle)


class TB:
    """Clock, reset, sources and sink of one core."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.cycle = 0
        self.span = int(dut.ROWS.value) + int(dut.COLS.value)
        Clock(dut.clk, 10, unit="ns").start()

    def check_parameters(self, expected: dict[str, int]) -> None:
        """Compare the elaborated parameters with those the scenarios were made for."""
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
        self.dut.rst.value = 1
        await self.tick()
        self.drive(0)
        self.dut.rst.value = 0

    def drive(self, level: int) -> None:
        """Set every valid and ready that the core reads."""
        for name in ("cfg_valid", "s_axis_w_tvalid", "s_axis_a_tvalid", "m_axis_o_tready"):
            getattr(self.dut, name).value = level

    def connect(self, scenario: ScenarioRequest) -> tuple[Source, Source, Source, Sink]:
        """Return fresh sources and sink, with the pauses of `scenario` drawn from its seed."""
        dut, seed, idle = self.dut, scenario["seed"], scenario["idle_percent"]
        cfg = Source(
            dut.cfg_valid, dut.cfg_ready, (dut.cfg_stream, dut.cfg_row_folds, dut.cfg_col_folds), Random(seed), 0
        )
        w = Source(dut.s_axis_w_tvalid, dut.s_axis_w_tready, (dut.s_axis_w_tdata,), Random(seed + 1), idle)
        a = Source(dut.s_axis_a_tvalid, dut.s_axis_a_tready, (dut.s_axis_a_tdata,), Random(seed + 2), idle)
        o = Sink(
            dut.m_axis_o_tvalid,
            dut.m_axis_o_tready,
            dut.m_axis_o_tdata,
            dut.m_axis_o_tlast,
            Random(seed + 3),
            scenario["back_pressure_percent"],
        )
        return cfg, w, a, o

    async def play(self, scenario: ScenarioRequest, limit_cycles: int | None = None) -> ScenarioReport:
        """Run the jobs of `scenario`; with `limit_cycles`, leave off there."""
        cfg, w, a, o = self.connect(scenario)
        jobs = scenario["jobs"]
        progress = Progress(jobs, [], [], [[] for _ in jobs])
        sent, start = 0, self.cycle
        while not progress.done and (limit_cycles is None or self.cycle - start < limit_cycles):
            if self.cycle - start > scenario["timeout_cycles"]:
                raise ProtocolError(
                    f"no end after {scenario['timeout_cycles']} cycles, {len(progress.last_cycles)} jobs done"
                )
            while sent < len(jobs) and self.may_send(scenario, sent, progress):
                cfg.send([tuple(jobs[sent]["cfg"])])
                w.send([(int(beat, 16),) for beat in jobs[sent]["weights"]])
                a.send([(int(beat, 16),) for beat in jobs[sent]["inputs"]])
                sent += 1
            await self.tick()
            outputs = self.outputs() if scenario["check_paths"] else None
            if cfg.cycle():
                progress.issue_cycles.append(self.cycle)
            w.cycle()
            a.cycle()
            if (beat := o.cycle()) is not None:
                progress.take(beat, self.cycle)
            if outputs is not None:
                await ReadOnly()
                if self.outputs() != outputs:
                    raise ProtocolError("an output depends combinationally on an input")
        if limit_cycles is None:
            await self.quiesce(o, progress)
        return {"issue_cycles": progress.issue_cycles, "last_cycles": progress.last_cycles, "beats": progress.beats}

    def may_send(self, scenario: ScenarioRequest, index: int, progress: Progress) -> bool:
        """Tell whether job `index` may be offered in the next cycle."""
        if not scenario["back_to_back"]:
            return index == len(progress.last_cycles)
        earliest = scenario["earliest_issue_cycles"][index]
        if earliest == 0:
            return True
        return bool(progress.issue_cycles) and self.cycle + 1 >= progress.issue_cycles[0] + earliest

    def outputs(self) -> list[str]:
        """Return the outputs of the core that a handshake may read in this cycle."""
        return [str(getattr(self.dut, name).value) for name in _OUTPUTS]

    async def quiesce(self, sink: Sink, progress: Progress) -> None:
        """Wait long enough for a surplus result to show."""
        for _ in range(self.span + 8):
            await self.tick()
            if (beat := sink.cycle()) is not None:
                progress.take(beat, self.cycle)


@cocotb.test()
async def run_scenarios(dut: Any) -> None:
    """Play every scenario of the input file on one core, without reset between them unless a scenario asks for one."""
    request: Request = json.loads(Path(os.environ["TILEWRIGHT_BENCH_REQUEST"]).read_text(encoding="utf-8"))
    report: Report = {"scenarios": [], "error": None}
    tb = TB(dut)
    try:
        tb.check_parameters(request["parameters"])
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
