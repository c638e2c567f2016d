"""Accelerator description: clock, DRAM channel, scratchpads, PE array, vector unit, DMA (contract §6).

These are the frozen objects that the mapper, the event model and the cost models read. The YAML edge that builds them
lives in `hw_models.description`. One core with one array is modelled; a description with more is refused by name there.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from hw_models.banking.memory import Scratchpad
from hw_models.bounds import MAX_BYTES_PER_CYCLE, MAX_LATENCY_CYCLES, check_positive
from hw_models.clock import OwnClock
from hw_models.dma import Dma
from hw_models.dram.channel import TimedDram
from hw_models.dram.energy import CommandEnergy
from hw_models.link import Link
from hw_models.pe_memories import PEMemories
from hw_models.sparsity import Sparsity
from hw_models.vector_unit import VectorUnit
from workloads.errors import InputError
from workloads.formats import Int

Dataflow = Literal["ws", "os", "is", "rs"]
ArrayKind = Literal["systolic", "adder_tree", "row_stationary"]
Arbitration = Literal["round_robin", "priority"]
ReductionUnroll = Literal["window", "channel"]
AccumulatorLayout = Literal["vectors"]


@dataclass(frozen=True, slots=True)
class DramChannel:
    """The off-chip memory: a channel with fixed latency and bandwidth, or a DRAM with timing.

    Parameters
    ----------
    bytes_per_cycle : Fraction
        Data-bus bandwidth in bytes per cycle of the reference clock, exact.
    latency_cycles : int
        From request to first beat of a read; from last beat to response of a write.
    beat_bytes : int
        Bytes moved by one beat; runs that start or end inside a beat pay the whole beat.
    burst_bytes : int
        Arbitration quantum between the read and the write stream, a multiple of `beat_bytes`.
    energy_pj_per_byte : Fraction
        Energy of one byte moved, either direction (source in `energy_source`).
    device : TimedDram, optional
        The DRAM behind the channel. `bytes_per_cycle` is then the peak of its data buses, a beat and a burst are one
        burst of it, and `latency_cycles` is the way between DMA and controller, so that closed forms stay bounds.
    arbitration : {"round_robin", "priority"}
        Who of several streams has the bus next: in turn, or the first of them, core 0 before core 1, reads first.
    command_energy : CommandEnergy, optional
        What the event model counts instead of `energy_pj_per_byte`, which is then a sequential stream's.
    clock : OwnClock, optional
        Of a channel of fixed latency, at whose edges it begins to move data; None: the reference clock.
    own_latency_cycles : int
        The latency in cycles of that clock; `latency_cycles` is then its least time in reference cycles.
    """

    name: str
    bytes_per_cycle: Fraction
    latency_cycles: int
    beat_bytes: int
    burst_bytes: int
    energy_pj_per_byte: Fraction
    energy_source: str
    device: TimedDram | None = None
    command_energy: CommandEnergy | None = None
    arbitration: Arbitration = "round_robin"
    clock: OwnClock | None = None
    own_latency_cycles: int = 0

    def __post_init__(self) -> None:
        check_positive(f"dram '{self.name}'", beat_bytes=self.beat_bytes, burst_bytes=self.burst_bytes)
        if self.bytes_per_cycle <= 0:
            raise InputError(f"dram '{self.name}': bandwidth is {self.bytes_per_cycle} bytes per cycle; raise it")
        if not 0 <= self.latency_cycles <= MAX_LATENCY_CYCLES:
            raise InputError(
                f"dram '{self.name}': latency_cycles is {self.latency_cycles}, bound is 0..{MAX_LATENCY_CYCLES}; "
                f"correct it"
            )
        if not Fraction(1, MAX_BYTES_PER_CYCLE) <= self.bytes_per_cycle <= MAX_BYTES_PER_CYCLE:
            raise InputError(
                f"dram '{self.name}': bandwidth is {float(self.bytes_per_cycle):g} bytes per cycle, bound is "
                f"1/{MAX_BYTES_PER_CYCLE} to {MAX_BYTES_PER_CYCLE}; correct it"
            )
        if self.burst_bytes % self.beat_bytes:
            raise InputError(
                f"dram '{self.name}': burst_bytes is {self.burst_bytes}, not a multiple of beat_bytes "
                f"({self.beat_bytes}); round it up"
            )
        if self.device is not None and self.arbitration != "round_robin":
            raise InputError(
                f"dram '{self.name}': arbitration is {self.arbitration} with a standard, whose controller goes round "
                f"its ports; remove one of the two"
            )
        if self.clock is not None and self.device is not None:
            raise InputError(
                f"dram '{self.name}': clock is set with a standard, which has its own; remove one of the two"
            )
        if self.energy_pj_per_byte < 0:
            raise InputError(f"dram '{self.name}': energy_pj_per_byte is negative; correct it")

    def read_delay(self, cycle: int) -> int:
        """Return the cycles from a read's issue at `cycle` to its eligibility for the bus, one at least."""
        return max(1, self.latency_cycles if self.clock is None else self._ends(cycle) - cycle)

    def response_delay(self, cycle: int) -> int:
        """Return the cycles from a write's last beat, over at `cycle`, to its response."""
        return self.latency_cycles if self.clock is None else self._ends(cycle) - cycle

    def _ends(self, cycle: int) -> int:
        assert self.clock is not None
        return self.clock.ends(cycle, self.own_latency_cycles)

    def beats_cycles(self, beats: int) -> Fraction:
        """Return the exact bus time of `beats` beats, in cycles."""
        return Fraction(beats * self.beat_bytes) / self.bytes_per_cycle


@dataclass(frozen=True, slots=True)
class PEArray:
    """A two-dimensional MAC array.

    Parameters
    ----------
    rows, cols : int
        WS: rows hold the reduction, columns the output channels. OS: rows hold output pixels. IS: rows hold the
        reduction, columns output pixels.
    kind : {"systolic", "adder_tree"}
        `systolic`: operands and partial sums move one PE per cycle; `adder_tree`: a column reduces all rows in one
        pipelined tree of `tree_latency_cycles`.
        `row_stationary`: PEs with `pe_memories`, run in passes (docs/dataflows.md).
    dataflows : tuple of {"ws", "os", "is", "rs"}
        Dataflows the array can run; the mapper chooses per layer. ``rs`` goes with `row_stationary` alone.
    reduction_unroll : {"window", "channel"}
        `window`: rows take consecutive elements of the flattened (FY, FX, C) window; `channel`: of C only.
    mac_pj : Fraction
        Energy of one MAC, its pipeline registers included where the source includes them.
    sparsity : Sparsity or None
        Pattern of the constant weights that a systolic array takes compressed: a PE holds N of the weights of M input
        channels and has N multipliers. Weights made at run time are dense; a PE takes N of them at a time.
    accumulator_layout : {"vectors"} or None
        `vectors`: as in the layer engine, a row of the accumulator takes `cols` channels of one pixel, filled or not,
        and no DMA engine reaches it. None: sums lie densely and may be stored and loaded again.
    """

    kind: ArrayKind
    rows: int
    cols: int
    dataflows: tuple[Dataflow, ...]
    input_format: Int
    weight_format: Int
    accumulator_format: Int
    reduction_unroll: ReductionUnroll
    mac_pj: Fraction
    energy_source: str
    tree_latency_cycles: int = 0
    sparsity: Sparsity | None = None
    pe_memories: PEMemories | None = None
    accumulator_layout: AccumulatorLayout | None = None

    def __post_init__(self) -> None:
        check_positive("array", rows=self.rows, cols=self.cols)
        if self.sparsity is not None and self.kind != "systolic":
            raise InputError(
                f"array: sparsity is {self.sparsity} on a {self.kind} array, only systolic ones are modelled with it; "
                f"remove it or use kind systolic"
            )
        if not self.dataflows or len(set(self.dataflows)) != len(self.dataflows):
            raise InputError(f"array: dataflows is {list(self.dataflows)}; name one at least, each at most once")
        if (self.kind == "row_stationary") != (self.dataflows == ("rs",)) or "rs" in self.dataflows[1:]:
            raise InputError(
                f"array: kind is {self.kind} with dataflows {list(self.dataflows)}; "
                f"use [rs] with row_stationary, ws, os or is with the others"
            )
        if self.sparsity is not None and "is" in self.dataflows:
            raise InputError(
                f"array: sparsity is {self.sparsity} with dataflow is, bound is ws, os: activations that stay have no "
                f"pattern; remove one of the two"
            )
        if self.pe_memories is not None and self.kind != "row_stationary":
            raise InputError(f"array: pe_memories is set on a {self.kind} array; remove it or use kind row_stationary")
        if self.mac_pj < 0:
            raise InputError(f"array: mac_pj is {self.mac_pj}, bound is >= 0; correct it")
        if self.kind != "adder_tree" and self.tree_latency_cycles:
            raise InputError(
                f"array: tree_latency_cycles is set on a {self.kind} array; remove it or use kind adder_tree"
            )
        if self.kind == "adder_tree" and (self.tree_latency_cycles < 1 or self.dataflows != ("ws",)):
            raise InputError("array: adder_tree needs tree_latency_cycles >= 1 and dataflows [ws]; correct both")

    @property
    def pes(self) -> int:
        """Value of rows times columns."""
        return self.rows * self.cols

    @property
    def places(self) -> int:
        """Value of the input channels of one PE under constant weights: M of an N:M array, else 1."""
        return 1 if self.sparsity is None else self.sparsity.group

    @property
    def kept(self) -> int:
        """Value of the multipliers of one PE: N of an N:M array, else 1."""
        return 1 if self.sparsity is None else self.sparsity.kept

    @property
    def input_row_bits(self) -> int:
        """Value of the bits of activations that the array takes in one cycle, of its widest dataflow."""
        lanes = self.cols if self.dataflows == ("is",) else max(self.rows, self.cols * ("is" in self.dataflows))
        return lanes * self.places * self.input_format.bits

    @property
    def weight_row_bits(self) -> int:
        """Value of the bits of weights that the array takes in one cycle, of its widest dataflow."""
        lanes = self.rows if self.dataflows == ("is",) else max(self.cols, self.rows * ("is" in self.dataflows))
        return lanes * self.word_bits

    @property
    def multipliers(self) -> int:
        """Value of the multipliers of the array, its MACs per cycle."""
        return self.pes * self.kept

    @property
    def word_bits(self) -> int:
        """Value of the bits of the weights of one PE: of a group with its indices, else of one weight."""
        bits = self.weight_format.bits
        return bits if self.sparsity is None else self.sparsity.word_bits(bits)


@dataclass(frozen=True, slots=True)
class Core:
    """One array with its scratchpads, vector unit and DMA engines."""

    name: str
    array: PEArray
    input: Scratchpad
    weight: Scratchpad
    accumulator: Scratchpad
    vector: VectorUnit
    dma: Dma
    link: Link | None = None

    def __post_init__(self) -> None:
        if self.has_banks and self.vector.clock is not None:
            raise InputError(
                f"core '{self.name}': scratchpads have banks and the vector unit has a clock of its own, whose steps "
                f"have no place in the cycles of a bank; remove one of the two"
            )
        a = self.array
        sums = -(-a.cols * a.accumulator_format.bits // 8)
        lanes = -(-self.vector.lanes * a.accumulator_format.bits // 8)
        needs = (
            (self.input, "read", self.input.read_bytes_per_cycle, -(-a.input_row_bits // 8), "array"),
            (self.weight, "read", self.weight.read_bytes_per_cycle, -(-a.weight_row_bits // 8), "array"),
            (self.accumulator, "read", self.accumulator.read_bytes_per_cycle, sums, "array"),
            (self.accumulator, "write", self.accumulator.write_bytes_per_cycle, sums, "array"),
            (self.accumulator, "read", self.accumulator.read_bytes_per_cycle, lanes, "vector unit"),
        )
        for pad, port, width, demand, reader in needs:
            if width < demand:
                raise InputError(
                    f"scratchpad '{pad.name}' of core '{self.name}': its {port} port gives {width} bytes per cycle, "
                    f"the {reader} needs {demand}; widen the port or shrink the array ({a.rows} x {a.cols}) or the "
                    f"vector unit ({self.vector.lanes} lanes)"
                )
            if pad.banks is not None and a.kind == "row_stationary":
                raise InputError(
                    f"scratchpad '{pad.name}' of core '{self.name}': banks are counted for arrays with folds, this one "
                    f"is {a.kind}, which runs in passes; remove banks or change the array"
                )
        if a.sparsity is not None and self.weight.banks is not None and self.weight.banks.layout == "output_first":
            raise InputError(
                f"scratchpad 'weight' of core '{self.name}': banks.layout is output_first, packed {a.sparsity} weights "
                f"lie output_last; use that or auto"
            )
        formats = (a.input_format, a.weight_format, a.accumulator_format)
        for pad, form in zip((self.input, self.weight, self.accumulator), formats, strict=True):
            pad.check_word(-(-form.bits // 8))

    @property
    def buffers(self) -> dict[str, int]:
        """Value of the buffers of each memory, by its name in the commands."""
        return {
            "input": self.input.halves,
            "weight": self.weight.halves,
            "accumulator": self.accumulator.halves,
            "operand": self.vector.operand_buffers,
            "output": self.vector.output_buffers,
        }

    @property
    def has_banks(self) -> bool:
        """Value telling whether some scratchpad has banks, so that passes may wait for them."""
        return any(pad.banks is not None for pad in (self.input, self.weight, self.accumulator))

    @property
    def accumulator_bytes(self) -> int:
        """Value of the bytes of one partial sum."""
        return -(-self.array.accumulator_format.bits // 8)


@dataclass(frozen=True, slots=True)
class Accelerator:
    """A whole machine.

    Parameters
    ----------
    clock_mhz : Fraction
        Reference clock; every cycle count of a result is in it.
    technology_nm : int
        Node of the energy figures.
    sources : tuple of (str, str)
        Where each figure comes from: (path in the description, source).
    sha256 : str
        Hash of the canonical description.
    """

    name: str
    summary: str
    clock_mhz: Fraction
    technology_nm: int
    dram: DramChannel
    core: Core
    sources: tuple[tuple[str, str], ...]
    sha256: str

    def __post_init__(self) -> None:
        if self.clock_mhz <= 0:
            raise InputError(f"accelerator '{self.name}': clock_mhz is {self.clock_mhz}, bound is > 0; correct it")
        for pad in (self.core.input, self.core.weight):
            pad.check_refill(self.dram.bytes_per_cycle, self.dram.name)
        self._check_dma()

    def own_clocks(self) -> dict[str, OwnClock]:
        """Return the clocks of the parts that do not run on the reference clock."""
        link = None if self.core.link is None else self.core.link.clock
        clocks = {"dram": self.dram.clock, "link": link, "vector": self.core.vector.clock}
        return {part: clock for part, clock in clocks.items() if clock is not None}

    def _check_dma(self) -> None:
        """Refuse DMA engines that do not go with the memory."""
        dma, dram = self.core.dma, self.dram
        if dma.max_burst_bytes is not None and dma.max_burst_bytes % dram.beat_bytes:
            raise InputError(
                f"dma: max_burst is {dma.max_burst_bytes} bytes, not a multiple of dram.beat ({dram.beat_bytes}); "
                f"round it"
            )
