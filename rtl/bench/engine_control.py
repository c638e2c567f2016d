"""The control port of the layer engine as a bench drives it: registers, command memory, and what it must refuse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cocotb.triggers import FallingEdge

COMMAND_MEMORY = 0x40000
BITS_OF_COMMAND, BITS_OF_WORD = 7, 2
COUNTS, IDENTITY = 0x10, 0x20
WORDS_OF_QUEUE = 32
OKAY, SLVERR = 0, 2
PATIENCE_CYCLES = 50
Commands = Sequence[Sequence[Sequence[int]]]


class ControlError(RuntimeError):
    """Something that the control port must not do."""


class ControlPort:
    """AXI4-Lite master, one access at a time.

    Parameters
    ----------
    identity : int
        Of the engine, as its register must read.
    room : int
        Commands of each engine that its memory holds.
    """

    def __init__(self, dut: Any, identity: int, room: int) -> None:
        self.dut, self.identity, self.room = dut, identity, room

    def idle(self) -> None:
        """Ask for nothing and take every answer."""
        dut = self.dut
        for name in ("awvalid", "awaddr", "wvalid", "wdata", "arvalid", "araddr"):
            getattr(dut, f"s_axil_{name}").value = 0
        dut.s_axil_bready.value = 1
        dut.s_axil_rready.value = 1
        dut.s_axil_wstrb.value = 15

    def expect(self, what: str, found: int, expected: int) -> None:
        """Stop the run unless `found` is `expected`."""
        if found != expected:
            raise ControlError(f"control port: {what} is {found:#x}, expected {expected:#x}")

    async def _until(self, signal: Any) -> None:
        for _ in range(PATIENCE_CYCLES):
            await FallingEdge(self.dut.clk)
            if int(signal.value):
                return
        raise ControlError(f"control port: {signal._name} never came")

    async def write(self, address: int, data: int, strobe: int = 15) -> int:
        """Write a register; return the response. The handshake is the rising edge before this returns."""
        dut = self.dut
        dut.s_axil_awaddr.value = address
        dut.s_axil_wdata.value = data
        dut.s_axil_wstrb.value = strobe
        dut.s_axil_awvalid.value = 1
        dut.s_axil_wvalid.value = 1
        await self._until(dut.s_axil_awready)
        await FallingEdge(dut.clk)
        dut.s_axil_awvalid.value = 0
        dut.s_axil_wvalid.value = 0
        self.expect("BVALID after a write", int(dut.s_axil_bvalid.value), 1)
        return int(dut.s_axil_bresp.value)

    async def read(self, address: int) -> tuple[int, int]:
        """Read a register; return data and response."""
        dut = self.dut
        dut.s_axil_araddr.value = address
        dut.s_axil_arvalid.value = 1
        await self._until(dut.s_axil_arready)
        await FallingEdge(dut.clk)
        dut.s_axil_arvalid.value = 0
        self.expect("RVALID after a read", int(dut.s_axil_rvalid.value), 1)
        response = int(dut.s_axil_rresp.value)
        return (0 if response else int(dut.s_axil_rdata.value)), response

    async def value(self, address: int) -> int:
        """Return the register at `address`, which must exist."""
        data, response = await self.read(address)
        self.expect(f"response of register {address:#x}", response, OKAY)
        return data

    async def load(self, commands: Commands) -> None:
        """Write the command memories and the counts."""
        for engine, queue in enumerate(commands):
            for number, words in enumerate(queue):
                for place, word in enumerate(words):
                    self.expect("response of the command memory", await self.write(_at(engine, number, place), word), 0)
            self.expect("response of a count", await self.write(COUNTS + 4 * engine, len(queue)), OKAY)

    def check_silent(self) -> None:
        """Hold every valid and ready of the port to 0, as a reset leaves them."""
        for name in ("awready", "wready", "bvalid", "arready", "rvalid"):
            self.expect(f"{name.upper()} after reset", int(getattr(self.dut, f"s_axil_{name}").value), 0)

    async def check_cleared(self) -> None:
        """Hold status, cycles, error and counts to 0, as a reset leaves them."""
        for address in range(0, IDENTITY, 4):
            self.expect(f"register {address:#x} after reset", await self.value(address), 0)

    async def check_idle(self, commands: Commands) -> None:
        """Read every register, and write where an engine that does not run must refuse it."""
        await self._check_counts(commands)
        for address in (0x2, IDENTITY + 1, IDENTITY + 4, 0x400, 0x10010, COMMAND_MEMORY):
            self.expect(f"response of a read at {address:#x}", (await self.read(address))[1], SLVERR)
        refused = [
            (COUNTS, 7), (COUNTS + 12, 14), (0, 1), (_at(0, 0, 2), 11),  # some bytes only
            (0x1, 15), (0x2, 15), (0x12, 15), (0x4, 15), (0x8, 15), (0xC, 15), (IDENTITY, 15), (0x400, 15),
            (0x20010, 15), (_at(0, 0, 2) + 1, 15), (_at(3, 0, 2) + 2, 15),
        ]  # fmt: skip
        if self.room < 512:
            refused += [(_at(0, self.room, 2), 15), (_at(3, 511, 2), 15)]
        for engine, queue in enumerate(commands):
            if queue:
                refused += [(_at(engine, 0, place), 15) for place in (len(queue[0]), WORDS_OF_QUEUE - 1)]
        for address, strobe in refused:
            self.expect(f"response of a write at {address:#x}", await self.write(address, 1, strobe), SLVERR)
        await self._check_limits(commands)
        self.expect("response of no start", await self.write(0, 0xFFFFFFFE), OKAY)
        await self._check_counts(commands)
        await self._check_patience()
        await self._check_counts(commands)

    async def _check_limits(self, commands: Commands) -> None:
        """Write counts beside the greatest one that there is room for, and what they were."""
        for engine, queue in enumerate(commands):
            for count, response in ((self.room + 1, SLVERR), (1 << 16, SLVERR), (self.room, OKAY), (len(queue), OKAY)):
                self.expect(f"response of count {count:#x}", await self.write(COUNTS + 4 * engine, count), response)

    async def check_running(self, commands: Commands) -> None:
        """Read the status of an engine that runs, which lets nobody write."""
        self.expect("status of a run", await self.value(0) & 3, 1)
        for address in (0, COUNTS, COUNTS + 12, _at(0, 0, 2), _at(2, 0, 3)):
            self.expect(f"response of a write at {address:#x}", await self.write(address, 1), SLVERR)
        await self._check_counts(commands)

    async def _check_counts(self, commands: Commands) -> None:
        for engine, queue in enumerate(commands):
            self.expect(f"count of engine {engine}", await self.value(COUNTS + 4 * engine), len(queue))
        self.expect("identity", await self.value(IDENTITY), self.identity)

    async def _check_patience(self) -> None:
        """Hold back one half of a write, then the readiness for both answers."""
        dut = self.dut
        dut.s_axil_awaddr.value = 0x4  # refused, so that an access of its own accord shows
        await FallingEdge(dut.clk)
        for half in (dut.s_axil_awvalid, dut.s_axil_wvalid):
            half.value = 1
            for _ in range(3):
                await FallingEdge(dut.clk)
                self.expect("AWREADY for half a write", int(dut.s_axil_awready.value), 0)
                self.expect("BVALID for half a write", int(dut.s_axil_bvalid.value), 0)
            half.value = 0
        dut.s_axil_bready.value = dut.s_axil_rready.value = 0
        self.expect("response of a write that waits", await self.write(0x4, 1), SLVERR)
        self.expect("identity that waits", await self.value(IDENTITY), self.identity)
        dut.s_axil_awaddr.value, dut.s_axil_araddr.value = COUNTS, 0x400
        for valid in (dut.s_axil_awvalid, dut.s_axil_wvalid, dut.s_axil_arvalid):
            valid.value = 1
        for _ in range(4):
            await FallingEdge(dut.clk)
            self.expect("BVALID that waits", int(dut.s_axil_bvalid.value), 1)
            self.expect("RVALID that waits", int(dut.s_axil_rvalid.value), 1)
            self.expect("AWREADY while an answer waits", int(dut.s_axil_awready.value), 0)
            self.expect("ARREADY while an answer waits", int(dut.s_axil_arready.value), 0)
            self.expect("BRESP that waits", int(dut.s_axil_bresp.value), SLVERR)
            self.expect("RDATA that waits", int(dut.s_axil_rdata.value), self.identity)
        self.idle()
        await FallingEdge(dut.clk)
        self.expect("BVALID after its handshake", int(dut.s_axil_bvalid.value), 0)
        self.expect("RVALID after its handshake", int(dut.s_axil_rvalid.value), 0)


def _at(engine: int, number: int, place: int) -> int:
    """Return the address of a word of the command memory."""
    return COMMAND_MEMORY | (engine << 9 | number) << BITS_OF_COMMAND | place << BITS_OF_WORD
