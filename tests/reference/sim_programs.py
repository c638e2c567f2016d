"""Small machines and valid random programs for tests of the event model."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st

from hw_models.accelerator import Accelerator, Arbitration, Core, DramChannel, PEArray
from hw_models.banking.memory import Scratchpad
from hw_models.clock import OwnClock, own_clock
from hw_models.dma import Dma
from hw_models.link import Link
from hw_models.systolic import FoldJob
from hw_models.vector_unit import VectorUnit
from mappers.commands import (
    AnyCommand,
    ComputeCommand,
    Engine,
    LayerRecord,
    LoadCommand,
    Memory,
    Program,
    Slot,
    StoreCommand,
    Transfer,
    VectorCommand,
)
from workloads.formats import Int

HALF = 256


def small_machine(
    *,
    rows: int = 4,
    cols: int = 4,
    kind: str = "systolic",
    tree: int = 3,
    bandwidth: Fraction = Fraction(8),
    latency: int = 5,
    beat: int = 8,
    bursts: int = 2,
    outstanding: int = 2,
    issue: int = 1,
    lanes: int = 4,
    vector_latency: int = 2,
    link: Link | None = None,
    arbitration: Arbitration = "round_robin",
    dram_clock: OwnClock | None = None,
    vector_clock: OwnClock | None = None,
    **cut: Any,
) -> Accelerator:
    """Return a machine with distinct energies per component, so that a mix-up shows; `cut` goes to its DMA."""

    def pad(name: str, read: str, write: str) -> Scratchpad:
        return Scratchpad(name, HALF, 1024, 1024, Fraction(read), Fraction(write), "test")

    tree_kind = kind == "adder_tree"
    array = PEArray(
        kind=kind,  # type: ignore[arg-type]
        rows=rows,
        cols=cols,
        dataflows=("ws",) if tree_kind else ("ws", "os"),
        input_format=Int(8),
        weight_format=Int(8),
        accumulator_format=Int(32),
        reduction_unroll="window",
        mac_pj=Fraction("0.3"),
        energy_source="test",
        tree_latency_cycles=tree if tree_kind else 0,
    )
    vector = VectorUnit(
        lanes, vector_latency, 1, 3, HALF, HALF, Fraction("0.7"), Fraction("0.11"), "test", clock=vector_clock
    )
    core = Core(
        "core0",
        array,
        pad("input", "0.13", "0.17"),
        pad("weight", "0.19", "0.23"),
        pad("accumulator", "0.29", "0.31"),
        vector,
        Dma(outstanding, issue, **cut),
        link,
    )
    per_byte, burst = Fraction("15.5"), beat * bursts
    least, own = (latency, 0) if dram_clock is None else (dram_clock.least(latency), latency)
    dram = DramChannel(
        "dram0",
        bandwidth,
        least,
        beat,
        burst,
        per_byte,
        "test",
        arbitration=arbitration,
        clock=dram_clock,
        own_latency_cycles=own,
    )
    return Accelerator("toy", "for tests", Fraction(400), 45, dram, core, (), "0" * 64)


@dataclass
class Builder:
    """Builds a program command by command and keeps the waits right: a writer waits for whoever freed its half."""

    commands: list[AnyCommand] = field(default_factory=list)
    count: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("load", "array", "vector", "store"), 0))
    freed: dict[tuple[str, int], tuple[Engine, int]] = field(default_factory=dict)
    turn: dict[str, int] = field(default_factory=dict)
    tags: int = 0
    address: int = 0

    def slot(self, memory: Memory, size: int) -> tuple[Slot, tuple[tuple[Engine, int], ...]]:
        """Return a new slot in the other half of `memory` and the wait for that half."""
        half = self.turn[memory] = 1 - self.turn.get(memory, 1)
        self.tags += 1
        wait = self.freed.pop((memory, half), None)
        return Slot(memory, half, 0, size, self.tags), (wait,) if wait else ()

    def add(self, command: AnyCommand) -> tuple[Engine, int]:
        """Append `command`; return the wait for its completion."""
        self.commands.append(command)
        self.count[command.engine] += 1
        for slot in command.releases:
            self.freed[slot.memory, slot.half] = (command.engine, self.count[command.engine])
        return command.engine, self.count[command.engine]

    def load(
        self, layer: int, memory: Memory, runs: int, run_bytes: int, pitch: int
    ) -> tuple[Slot, tuple[Engine, int]]:
        slot, waits = self.slot(memory, runs * run_bytes)
        self.address += 3
        transfer = Transfer(self.address, run_bytes, (runs,), (pitch,))
        return slot, self.add(LoadCommand(layer, waits, (), (slot,), (), f"{memory}_data", (transfer,)))


Tile = dict[str, Any]


def program_of(layers: list[list[Tile]]) -> Program:
    """Return a program with one output tile per entry of each layer.

    A tile has ``folds`` (list of (flow, stream, row_folds, col_folds)), ``runs``, ``run_bytes``, ``pitch``,
    ``share_weight``, ``rows``, ``elements``, ``simple``, ``special`` and ``operand``, as in `tile`.
    """
    b = Builder()
    macs = [0] * len(layers)
    for layer, tiles in enumerate(layers):
        for tile in tiles:
            macs[layer] += _tile(b, layer, tile)
    records = tuple(LayerRecord(f"layer{i}", "conv", (), (), m, "array") for i, m in enumerate(macs))
    return Program("toy", "toy", records, tuple(b.commands), 1 << 20)


def _tile(b: Builder, layer: int, t: Tile) -> int:
    """Append the commands of one output tile; return its MACs."""
    reads: list[Slot] = []
    waits: list[tuple[Engine, int]] = []
    macs = 0
    if t["folds"]:
        sums, acc_waits = b.slot("accumulator", 64)
        weight, loaded = b.load(layer, "weight", t["runs"], t["run_bytes"], t["pitch"])
        for index, (flow, stream, row_folds, col_folds) in enumerate(t["folds"]):
            final = index == len(t["folds"]) - 1
            if index and not t["share_weight"]:
                weight, loaded = b.load(layer, "weight", t["runs"], t["run_bytes"], t["pitch"])
            data, data_loaded = b.load(layer, "input", t["runs"], t["run_bytes"], t["pitch"] + 1)
            gone = (data,) if t["share_weight"] and not final else (data, weight)
            useful = stream * row_folds * col_folds
            macs += useful
            done = b.add(
                ComputeCommand(
                    layer, (*acc_waits, loaded, data_loaded), (data, weight), (sums,), gone,
                    flow, FoldJob(stream, row_folds, col_folds), index > 0, useful, "x", "w", "y",
                )
            )  # fmt: skip
            acc_waits = ()
        reads.append(sums)
        waits.append(done)
    if t["operand"] or not reads:
        operand, loaded = b.load(layer, "operand", t["runs"], t["run_bytes"], t["pitch"])
        reads.append(operand)
        waits.append(loaded)
    out, out_waits = b.slot("output", 32)
    done = b.add(
        VectorCommand(
            layer, (*out_waits, *waits), tuple(reads), (out,), tuple(reads), "requantise", t["rows"], t["elements"],
            t["simple"], t["special"], t["rows"] * t["elements"], tuple(s.size_bytes for s in reads), (32,),
            tuple("y" for _ in reads), ("z",),
        )
    )  # fmt: skip
    transfer = Transfer(b.address, t["run_bytes"], (t["runs"],), (t["pitch"],))
    b.add(StoreCommand(layer, (done,), (out,), (), (out,), "z", (transfer,)))
    return macs


def tile(**changes: Any) -> Tile:
    """Return a tile of one WS job, with `changes`."""
    plain: Tile = {
        "folds": [("ws", 6, 2, 1)],
        "runs": 2,
        "run_bytes": 16,
        "pitch": 40,
        "share_weight": True,
        "rows": 2,
        "elements": 8,
        "simple": 1,
        "special": 0,
        "operand": False,
    }
    return plain | changes


@st.composite
def own_clocks(draw: st.DrawFn) -> OwnClock | None:
    """Return a clock beside one of 400 MHz, or none, most of the time."""
    mhz = draw(st.sampled_from([None, None, None, 200, 300, 400, 560, 1000]))
    return None if mhz is None else own_clock("own", Fraction(mhz), Fraction(400))


@st.composite
def machines(draw: st.DrawFn) -> Accelerator:
    """Return small machines, most of them with a bandwidth that is no whole number of beats per cycle."""
    return small_machine(
        rows=draw(st.integers(1, 5)),
        cols=draw(st.integers(1, 4)),
        kind=draw(st.sampled_from(["systolic", "systolic", "adder_tree"])),
        tree=draw(st.integers(1, 4)),
        bandwidth=Fraction(draw(st.integers(1, 40)), draw(st.integers(1, 7))),
        latency=draw(st.integers(0, 9)),
        beat=draw(st.sampled_from([1, 4, 8])),
        bursts=draw(st.integers(1, 4)),
        outstanding=draw(st.integers(1, 3)),
        issue=draw(st.integers(0, 2)),
        lanes=draw(st.integers(1, 5)),
        vector_latency=draw(st.integers(0, 4)),
        dram_clock=draw(own_clocks()),
        vector_clock=draw(own_clocks()),
    )


@st.composite
def programs(draw: st.DrawFn, flows: tuple[str, ...]) -> Program:
    """Return valid programs of up to three layers."""
    fold = st.tuples(st.sampled_from(flows), st.integers(1, 9), st.integers(1, 3), st.integers(1, 2))
    tiles = st.fixed_dictionaries(
        {
            "folds": st.lists(fold, max_size=3),
            "runs": st.integers(1, 4),
            "run_bytes": st.integers(1, 40),
            "pitch": st.integers(1, 50),
            "share_weight": st.booleans(),
            "rows": st.integers(1, 4),
            "elements": st.integers(1, 9),
            "simple": st.integers(1, 2),
            "special": st.integers(0, 2),
            "operand": st.booleans(),
        }
    )
    return program_of(draw(st.lists(st.lists(tiles, min_size=1, max_size=3), min_size=1, max_size=3)))
