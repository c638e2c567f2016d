"""cocotb bench of the layer engine: loads a command list over AXI4-Lite, starts it, reads cycles and memory back.

The memory is HDL and nothing happens in Python while the engine runs, so a run goes at the simulator's own speed.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, First, RisingEdge, Timer

from rtl.bench.engine_control import ControlError, ControlPort
from rtl.bench.engine_protocol import EngineReport, EngineRequest, EngineRunReport, EngineRunRequest

CLOCK_NS = 10


class TB:
    """Clock, reset, control port and memory files."""

    def __init__(self, dut: Any, folder: Path, identity: int, room: int) -> None:
        self.dut, self.folder = dut, folder
        self.port = ControlPort(dut, identity, room)
        Clock(dut.clk, CLOCK_NS, unit="ns").start()

    async def reset(self, cycles: int = 2) -> list[str]:
        """Hold reset over `cycles` rising edges; return the channels of the memory whose burst it cuts off."""
        dut = self.dut
        await FallingEdge(dut.clk)
        self.port.idle()
        for name in ("disturb", "refill", "save"):
            getattr(dut, name).value = 0
        dut.error_from.value = 0xFFFFFFFF
        cut = [name for name in ("r", "w") if self.within_burst(name)]
        dut.rst.value = 1
        for _ in range(cycles):
            await FallingEdge(dut.clk)
        dut.rst.value = 0
        self.port.check_silent()
        return cut

    def within_burst(self, channel: str) -> bool:
        """Tell whether a beat stands on `channel` behind which its burst has more; no before the first reset."""
        valid, last = (getattr(self.dut, f"m_axi_{channel}{what}").value for what in ("valid", "last"))
        return str(valid) == "1" and str(last) == "0"

    async def pulse(self, signal: Any) -> None:
        """Raise `signal` for a cycle."""
        await FallingEdge(self.dut.clk)
        signal.value = 1
        await FallingEdge(self.dut.clk)
        signal.value = 0
        await FallingEdge(self.dut.clk)

    async def play(self, run: EngineRunRequest, place: int) -> EngineRunReport:
        """Run one command list on a memory filled afresh."""
        dut, port = self.dut, self.port
        cut: list[str] = []
        if run["image"]:
            shutil.copyfile(self.folder / run["image"], self.folder / "memory.hex")
            await self.pulse(dut.refill)
        await port.load(run["commands"])
        if run["reset_after_cycles"]:
            await port.write(0, 1)
            await Timer(run["reset_after_cycles"] * CLOCK_NS, unit="ns")
            cut = await self.reset(run["reset_cycles"])
            if run["probe"]:
                await port.check_cleared()
            await port.load(run["commands"])
        if run["probe"]:
            await port.check_idle(run["commands"])
        dut.disturb.value = int(run["disturb"])
        dut.error_from.value = run["error_from"]
        await port.write(0, 1)
        if run["again_after_cycles"]:
            await Timer(run["again_after_cycles"] * CLOCK_NS, unit="ns")
            while await port.write(0, 1):  # refused while busy; the first idle cycle takes it
                pass
        finished = RisingEdge(dut.done)
        if run["probe"] and not int(dut.done.value):
            await port.check_running(run["commands"])
        if not int(dut.done.value):
            first = await First(finished, Timer(run["timeout_cycles"] * CLOCK_NS, unit="ns"))
            if first is not finished:
                return {"cycles": -1, "status": 0, "error": 0, "memory": "", "cut": cut}
        await FallingEdge(dut.clk)
        low, high = await port.value(0x04), await port.value(0x08)
        status, error = await port.value(0x00), await port.value(0x0C)
        port.expect("status", status, (error != 0) << 2 | 2)
        await self.pulse(dut.save)
        kept = f"memory_{place}.out"
        shutil.move(self.folder / "memory.out", self.folder / kept)
        return {"cycles": high << 32 | low, "status": status, "error": error, "memory": kept, "cut": cut}


@cocotb.test()
async def play_runs(dut: Any) -> None:
    """Play every run of the request and write the report."""
    request_file = Path(os.environ["TILEWRIGHT_BENCH_REQUEST"])
    request: EngineRequest = json.loads(request_file.read_text(encoding="utf-8"))
    tb = TB(dut, request_file.parent, request["identity"], request["room"])
    report: EngineReport = {"accesses": [], "runs": [], "error": None}
    place = 0
    try:
        await tb.reset()
        for write, address, data in request["accesses"]:
            answer = (0, await tb.port.write(address, data)) if write else await tb.port.read(address)
            report["accesses"].append(answer)
        for place, run in enumerate(request["runs"]):
            hung = report["runs"] and report["runs"][-1]["cycles"] < 0  # what follows would tell nothing
            report["runs"].append(report["runs"][-1] if hung else await tb.play(run, place))
    except (ControlError, ValueError) as error:  # a ValueError is a bit that is neither 0 nor 1
        report["error"] = f"run {place}: {error}"
    Path(os.environ["TILEWRIGHT_BENCH_REPORT"]).write_text(json.dumps(report), encoding="utf-8")
