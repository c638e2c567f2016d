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

from rtl.bench.engine_protocol import EngineReport, EngineRequest, EngineRunReport, EngineRunRequest

CLOCK_NS = 10
COMMAND_MEMORY = 0x40000
BITS_OF_COMMAND, BITS_OF_WORD = 7, 2


class TB:
    """Clock, reset, control port and memory files."""

    def __init__(self, dut: Any, folder: Path) -> None:
        self.dut, self.folder = dut, folder
        Clock(dut.clk, CLOCK_NS, unit="ns").start()

    async def reset(self) -> None:
        """Hold reset over two rising edges."""
        dut = self.dut
        await FallingEdge(dut.clk)
        for name in ("s_axil_awvalid", "s_axil_wvalid", "s_axil_arvalid", "disturb", "refill", "save"):
            getattr(dut, name).value = 0
        dut.s_axil_bready.value = 1
        dut.s_axil_rready.value = 1
        dut.s_axil_wstrb.value = 15
        dut.error_from.value = 0xFFFFFFFF
        dut.rst.value = 1
        await FallingEdge(dut.clk)
        await FallingEdge(dut.clk)
        dut.rst.value = 0

    async def write(self, address: int, data: int) -> int:
        """Write a register; return the response. The handshake is the rising edge before this returns."""
        dut = self.dut
        dut.s_axil_awaddr.value = address
        dut.s_axil_wdata.value = data
        dut.s_axil_awvalid.value = 1
        dut.s_axil_wvalid.value = 1
        await FallingEdge(dut.clk)
        while not int(dut.s_axil_awready.value):
            await FallingEdge(dut.clk)
        await FallingEdge(dut.clk)
        dut.s_axil_awvalid.value = 0
        dut.s_axil_wvalid.value = 0
        return int(dut.s_axil_bresp.value)

    async def read(self, address: int) -> tuple[int, int]:
        """Read a register; return data and response."""
        dut = self.dut
        dut.s_axil_araddr.value = address
        dut.s_axil_arvalid.value = 1
        await FallingEdge(dut.clk)
        while not int(dut.s_axil_arready.value):
            await FallingEdge(dut.clk)
        await FallingEdge(dut.clk)
        dut.s_axil_arvalid.value = 0
        while not int(dut.s_axil_rvalid.value):
            await FallingEdge(dut.clk)
        return int(dut.s_axil_rdata.value), int(dut.s_axil_rresp.value)

    async def pulse(self, signal: Any) -> None:
        """Raise `signal` for a cycle."""
        await FallingEdge(self.dut.clk)
        signal.value = 1
        await FallingEdge(self.dut.clk)
        signal.value = 0
        await FallingEdge(self.dut.clk)

    async def load(self, run: EngineRunRequest) -> None:
        """Write the command memories and the counts."""
        for engine, commands in enumerate(run["commands"]):
            for number, words in enumerate(commands):
                for place, word in enumerate(words):
                    at = ((engine << 9 | number) << BITS_OF_COMMAND) | place << BITS_OF_WORD
                    if await self.write(COMMAND_MEMORY | at, word):
                        raise RuntimeError(f"command word {engine}/{number}/{place} was not taken")
            await self.write(0x10 + 4 * engine, len(commands))

    async def play(self, run: EngineRunRequest, place: int) -> EngineRunReport:
        """Run one command list on a memory filled afresh."""
        dut = self.dut
        if run["image"]:
            shutil.copyfile(self.folder / run["image"], self.folder / "memory.hex")
            await self.pulse(dut.refill)
        await self.load(run)
        if run["reset_after_cycles"]:
            await self.write(0, 1)
            await Timer(run["reset_after_cycles"] * CLOCK_NS, unit="ns")
            await self.reset()
            await self.load(run)
        dut.disturb.value = int(run["disturb"])
        dut.error_from.value = run["error_from"]
        await self.write(0, 1)
        finished = RisingEdge(dut.done)
        if not int(dut.done.value):
            first = await First(finished, Timer(run["timeout_cycles"] * CLOCK_NS, unit="ns"))
            if first is not finished:
                await self.reset()
                return {"cycles": -1, "status": 0, "error": 0, "memory": ""}
        await FallingEdge(dut.clk)
        low, _ = await self.read(0x04)
        high, _ = await self.read(0x08)
        status, _ = await self.read(0x00)
        error, _ = await self.read(0x0C)
        await self.pulse(dut.save)
        kept = f"memory_{place}.out"
        shutil.move(self.folder / "memory.out", self.folder / kept)
        return {"cycles": high << 32 | low, "status": status, "error": error, "memory": kept}


@cocotb.test()
async def play_runs(dut: Any) -> None:
    """Play every run of the request and write the report."""
    request_file = Path(os.environ["TILEWRIGHT_BENCH_REQUEST"])
    request: EngineRequest = json.loads(request_file.read_text(encoding="utf-8"))
    tb = TB(dut, request_file.parent)
    report: EngineReport = {"accesses": [], "runs": [], "error": None}
    await tb.reset()
    for write, address, data in request["accesses"]:
        answer = (0, await tb.write(address, data)) if write else await tb.read(address)
        report["accesses"].append(answer)
    for place, run in enumerate(request["runs"]):
        report["runs"].append(await tb.play(run, place))
    Path(os.environ["TILEWRIGHT_BENCH_REPORT"]).write_text(json.dumps(report), encoding="utf-8")
