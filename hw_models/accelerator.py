"""Accelerator description: clock, DRAM channel, scratchpads, PE array, vector unit, DMA (contract §6).

These are the frozen objects that the mapper, the event model and the cost models read. The YAML edge that builds them
lives in `hw_models.description`. One core with one array is modelled; a description with more is refused by name there.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from hw_models.banking.memory import Scratchpad, check_buffers
from hw_models.dma import Dma
from hw_models.dram.channel import TimedDram
from hw_models.dram.energy import CommandEnergy
from hw_models.link import Link
from hw_models.pe_memories import PEMemories
from hw_models.sparsity import Sparsity
from workloads.errors import InputError
from workloads.formats import Int

Dataflow = Literal["ws", "os", "is", "rs"]
ArrayKind = Literal["systolic", "adder_tree", "row_stationary"]
Arbitration = Literal["round_robin", "priority"]
ReductionUnroll = Literal["window", "channel"]
AccumulatorLayout = Literal["vectors"]


def _positive(subject: str, **values: int) -> None:
    """Raise `InputError` naming the first value below one."""
    for key, value in values.items():
        if value < 1:
            raise InputError(f"{subject}: {key} is {value}, bound is >= 1; give a positive integer")


MAX_LATENCY_CYCLES = 1 << 20
MAX_BYTES_PER_CYCLE = 1 << 20
"""Beyond these bounds a description is a slip of the pen, and products of counts leave 64 bits."""


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

    def __post_init__(self) -> None:
        _positive(f"dram '{self.name}'", beat_bytes=self.beat_bytes, burst_bytes=self.burst_bytes)
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
        if self.energy_pj_per_byte < 0:
            raise InputError(f"dram '{self.name}': energy_pj_per_byte is negative; correct it")

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
        _positive("array", rows=self.rows, cols=self.cols)
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
class VectorUnit:
    """Lane-parallel unit for requantisation, activation, element-wise, pooling, softmax and norms.

    Parameters
    ----------
    lanes : int
        Elements processed per step.
    latency_cycles : int
        Pipeline depth from first element in to first element out.
    simple_cycles, special_cycles : int
        Cycles of one step for simple (add, multiply, compare, shift) and for special (exp, divide, square root, tanh)
        operations.
    operand_half_bytes, output_half_bytes : int
        Capacity of one buffer of the operand and of the output staging memory.
    op_pj : Fraction
        Energy of one lane operation.
    writes_input : bool
        Whether results can go to the input scratchpad, so that activations may stay on chip.
    operand_buffers, output_buffers : int
        Buffers of the two staging memories, 1 to 3.
    """

    lanes: int
    latency_cycles: int
    simple_cycles: int
    special_cycles: int
    operand_half_bytes: int
    output_half_bytes: int
    op_pj: Fraction
    buffer_pj_per_byte: Fraction
    energy_source: str
    writes_input: bool = True
    operand_buffers: int = 2
    output_buffers: int = 2

    def __post_init__(self) -> None:
        check_buffers("vector unit", "operand_buffers", self.operand_buffers)
        check_buffers("vector unit", "output_buffers", self.output_buffers)
        _positive(
            "vector unit",
            lanes=self.lanes,
            simple_cycles=self.simple_cycles,
            special_cycles=self.special_cycles,
            operand_half_bytes=self.operand_half_bytes,
            output_half_bytes=self.output_half_bytes,
        )
        if not 0 <= self.latency_cycles <= MAX_LATENCY_CYCLES:
            raise InputError(
                f"vector unit: latency_cycles is {self.latency_cycles}, bound is 0..{MAX_LATENCY_CYCLES}; correct it"
            )

    def cycles(self, rows: int, row_elements: int, simple_ops: int, special_ops: int) -> int:
        """Return the time of a vector command over `rows` rows of `row_elements` elements, in cycles.

        A step takes up to `lanes` elements of one row. Simple operations of one pass are chained in the pipeline, so
        a pass costs one step time however many of them it has; `simple_ops` and `special_ops` count passes.
        """
        steps = rows * -(-row_elements // self.lanes)
        return steps * (simple_ops * self.simple_cycles + special_ops * self.special_cycles) + self.latency_cycles


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
            if pad.banks is not None and (a.sparsity is not None or a.kind == "row_stationary"):
                raise InputError(
                    f"scratchpad '{pad.name}' of core '{self.name}': banks are counted for dense systolic and "
                    f"adder_tree arrays, this one is {a.kind if a.sparsity is None else f'{a.sparsity} sparse'}; "
                    f"remove banks or change the array"
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

    def _check_dma(self) -> None:
        """Refuse DMA engines that do not go with the memory."""
        dma, dram = self.core.dma, self.dram
        if dma.max_burst_bytes is not None and dma.max_burst_bytes % dram.beat_bytes:
            raise InputError(
                f"dma: max_burst is {dma.max_burst_bytes} bytes, not a multiple of dram.beat ({dram.beat_bytes}); "
                f"round it"
            )
