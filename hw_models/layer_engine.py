"""The layer engine: parameters of the RTL that runs command lists, and the exact arithmetic of its layers.

One object gives the generated RTL its sizes (`rtl.engine_top`) and the golden model its formats. Its time is that of
the event model of the same commands (`sim.machine`); this module has no second copy of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from hw_models.accelerator import Accelerator, Dataflow
from hw_models.sparsity import Sparsity
from workloads.errors import InputError
from workloads.formats import Int

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class EngineParams:
    """Sizes of one layer engine.

    Parameters
    ----------
    rows, cols : int
        Of the array; the vector unit has `cols` lanes.
    input_format, weight_format : Int
        Codes, each in a byte of memory.
    accumulator_bits : int
        Of a sum, which wraps.
    input_bytes, weight_bytes, operand_bytes, output_bytes : int
        Both halves of each memory.
    coefficient_channels : int
        Output channels whose bias and scale the engine holds, over a whole command list.
    accumulator_depth : int
        Vectors of `cols` sums of one accumulator half.
    vector_latency_cycles, issue_cycles, memory_latency_cycles : int
        As in the description.
    beat_bytes, burst_beats, outstanding : int
        Of the DMA engines and the channel.
    commands : int
        Of each engine, in one run.
    sparsity : Sparsity, optional
        Of an N:M array: its weights lie in memory as words of values and indices, bit after bit.
    dataflows : tuple of {"ws", "os", "is"}
        Arrays that are built; with several each command says which runs it.
    """

    rows: int
    cols: int
    input_format: Int
    weight_format: Int
    accumulator_bits: int
    input_bytes: int
    weight_bytes: int
    operand_bytes: int
    output_bytes: int
    coefficient_channels: int
    accumulator_depth: int
    pool_depth: int
    vector_latency_cycles: int
    issue_cycles: int
    memory_latency_cycles: int
    beat_bytes: int
    burst_beats: int
    outstanding: int
    commands: int
    sparsity: Sparsity | None = None
    dataflows: tuple[Dataflow, ...] = ("ws",)

    #: Least pipeline of the vector unit: memory, bias, scale, code, pool, mean, memory.
    VECTOR_STAGES: ClassVar[int] = 7
    #: Bits of a code in the output memory.
    OUTPUT: ClassVar[Int] = Int(8)
    #: Greatest number of commands of one engine in one run.
    MAX_COMMANDS: ClassVar[int] = 512
    #: Bytes of the bias and scale of an output channel: int32 bias, 24-bit multiplier, 8-bit shift.
    TERM_BYTES: ClassVar[int] = 8

    def __post_init__(self) -> None:
        powers = ("input_bytes", "weight_bytes", "operand_bytes", "output_bytes", "coefficient_channels", "pool_depth",
                  "beat_bytes", "commands")  # fmt: skip
        if not self.dataflows or not set(self.dataflows) <= {"ws", "os", "is"}:
            raise InputError(f"layer engine: dataflows are {list(self.dataflows)}, bound is ws, os, is; choose of them")
        if "is" in self.dataflows and self.sparsity is not None:
            raise InputError(
                f"layer engine: weights are {self.sparsity} sparse and dataflows {list(self.dataflows)}, bound of N:M "
                f"arrays is ws, os; leave out is"
            )
        for key in powers:
            value = getattr(self, key)
            if value < 2 or value & (value - 1):
                raise InputError(f"layer engine: {key} is {value}, bound is a power of two >= 2; round it up")
        bounds = (
            ("rows", self.rows, 1, 255),
            ("cols", self.cols, 1, 256),
            ("accumulator_depth", self.accumulator_depth, 2, 1 << 20),
            ("vector_latency_cycles", self.vector_latency_cycles, self.VECTOR_STAGES, 1 << 20),
            ("issue_cycles", self.issue_cycles, 1, 1 << 16),
            ("memory_latency_cycles", self.memory_latency_cycles, 1, 1 << 12),
            ("beat_bytes", self.beat_bytes, 2, 128),
            ("coefficient_channels", self.coefficient_channels, 2 * max(self.cols, self.beat_bytes // 8), 1 << 20),
            ("burst_beats", self.burst_beats, 1, min(256, 4096 // self.beat_bytes)),
            ("outstanding", self.outstanding, 1, 64),
            ("commands", self.commands, 2, self.MAX_COMMANDS),
            ("accumulator_bits", self.accumulator_bits, 16, 48),
            ("weight_format", self.weight_format.bits, 1, 8),
        )
        for key, value, low, high in bounds:
            if not low <= value <= high:
                raise InputError(f"layer engine: {key} is {value}, bound is {low}..{high}; choose a value in it")
        if self.input_format != self.OUTPUT:
            raise InputError(
                f"layer engine: input_format is {self.input_format}, bound is {self.OUTPUT}, the codes that its vector "
                f"unit makes for the next layer; use {self.OUTPUT}"
            )
        widest = max(self.beat_bytes, self.rows * self.places, self.cols, self.weight_row_bytes)
        for key in ("input_bytes", "weight_bytes", "operand_bytes", "output_bytes"):
            if getattr(self, key) < 4 * widest:
                raise InputError(
                    f"layer engine: {key} is {getattr(self, key)}, bound is >= {4 * widest}, four accesses of the "
                    f"widest port; enlarge it"
                )

    @property
    def name(self) -> str:
        """Value of the engine's name, such as ``layer_engine_8x8_int8``."""
        codes = self.input_format.name
        if self.weight_format != self.input_format:
            codes += f"x{self.weight_format.name}"
        pattern = "" if self.sparsity is None else f"nm{self.sparsity.kept}of{self.sparsity.group}_"
        flows = "" if self.dataflows == ("ws",) else "".join(f"{flow}_" for flow in self.dataflows)
        return f"layer_engine_{self.rows}x{self.cols}_{flows}{pattern}{codes}"

    @property
    def places(self) -> int:
        """Value of the input channels that a PE takes at once."""
        return 1 if self.sparsity is None else self.sparsity.group

    @property
    def word_bits(self) -> int:
        """Value of the bits of a stored weight word: a byte of a dense array, N slots of an N:M one."""
        return 8 if self.sparsity is None else self.sparsity.word_bits(self.weight_format.bits)

    @property
    def weight_row_bytes(self) -> int:
        """Value of the bytes of weights read at once: words of all columns from any bit on, or a byte per row (IS)."""
        columns = (self.cols * self.word_bits + (14 if self.word_bits % 8 else 0)) // 8
        if "is" not in self.dataflows:
            return columns
        return self.rows if self.dataflows == ("is",) else max(self.rows, columns)


def engine_params(accelerator: Accelerator, coefficient_channels: int = 1024, commands: int = 512) -> EngineParams:
    """Return the layer engine of `accelerator`.

    Raises
    ------
    InputError
        Naming everything in the description that the engine is not built for.
    """
    core, dram = accelerator.core, accelerator.dram
    array, vector = core.array, core.vector
    wants = (
        (array.kind != "systolic", "array.kind", array.kind, "systolic"),
        (not set(array.dataflows) <= {"ws", "os", "is"}, "array.dataflows", list(array.dataflows), "of ws, os, is"),
        (
            array.reduction_unroll != "channel" and bool({"ws", "is"} & set(array.dataflows)),
            "array.reduction_unroll",
            array.reduction_unroll,
            "channel, or either with dataflows [os]",
        ),
        (vector.lanes != array.cols, "vector.lanes", vector.lanes, f"{array.cols}, the columns of the array"),
        (vector.simple_cycles != 1, "vector.simple", vector.simple_cycles, "1 cycle"),
        (vector.writes_input, "vector.writes_input", vector.writes_input, "false"),
        (
            dram.bytes_per_cycle != dram.beat_bytes,
            "dram.bandwidth",
            f"{float(dram.bytes_per_cycle):g} B per cycle",
            f"one beat ({dram.beat_bytes} B) per cycle",
        ),
        (dram.device is not None, "dram.standard", "set", "a channel of fixed latency"),
        (set(core.buffers.values()) != {2}, "buffers", list(core.buffers.values()), "2 in every memory"),
        (
            bool(core.dma.engines) or core.dma.store_engines > 1 or core.dma.sends_requests,
            "dma",
            "cut up",
            "one load and one store engine, no limits",
        ),
        (core.dma.host is not None, "dma.host", "set", "a list of commands that the engine fetches itself"),
        (core.link is not None, "link", "set", "an AXI port without a link before it"),
        (vector.clock is not None, "vector.clock", "another one", "the clock of the array"),
        (dram.clock is not None, "dram.clock", "another one", "the clock of the array"),
        (dram.arbitration != "round_robin", "dram.arbitration", dram.arbitration, "round_robin"),
        (core.has_banks, "scratchpads.banks", "set", "memories without bank conflicts"),
        (array.accumulator_layout != "vectors", "array.accumulator_layout", "left out", "vectors"),
        (not array.accumulator_format.signed, "array.accumulator_format", array.accumulator_format, "a signed format"),
    )
    wrong = [f"{key} is {value}, built is {bound}" for bad, key, value, bound in wants if bad]
    if wrong:
        raise InputError(
            f"layer engine of '{accelerator.name}': {'; '.join(wrong)}; change the description or use preset engine_8x8"
        )
    return EngineParams(
        rows=array.rows,
        cols=array.cols,
        input_format=array.input_format,
        weight_format=array.weight_format,
        accumulator_bits=array.accumulator_format.bits,
        input_bytes=2 * core.input.half_bytes,
        weight_bytes=2 * core.weight.half_bytes,
        operand_bytes=2 * vector.operand_half_bytes,
        output_bytes=2 * vector.output_half_bytes,
        coefficient_channels=coefficient_channels,
        accumulator_depth=core.accumulator.half_bytes // (array.cols * core.accumulator_bytes),
        pool_depth=256,
        vector_latency_cycles=vector.latency_cycles,
        issue_cycles=core.dma.issue_cycles,
        memory_latency_cycles=dram.latency_cycles,
        beat_bytes=dram.beat_bytes,
        burst_beats=dram.burst_bytes // dram.beat_bytes,
        outstanding=core.dma.outstanding,
        commands=commands,
        sparsity=array.sparsity,
        dataflows=array.dataflows,
    )


@dataclass(frozen=True, slots=True)
class LayerConstants:
    """Integers of one MAC layer and what is fused to it.

    Parameters
    ----------
    weights : ndarray of int64, shape (K, C, FY, FX)
        Codes; (K, C, 1, 1) of a matrix. Here and below K counts the output channels of all groups, one group after the
        other, and C the input channels of one.
    bias : ndarray of int64, shape (K,)
        int32.
    multiplier, shift : ndarray of int64, shape (K,)
        ``code = (sum * multiplier + half) >> shift``; 0..2**24 - 1 and 0..59.
    second_multiplier : int
        Of the second operand of a fused addition, at the scale of the sums times their multiplier; then all channels
        need one shift. 0 without.
    mean_multiplier, mean_shift : int
        Of a fused average: ``(sum of codes * multiplier + half) >> shift``.
    """

    weights: IntArray
    bias: IntArray
    multiplier: IntArray
    shift: IntArray
    second_multiplier: int = 0
    mean_multiplier: int = 0
    mean_shift: int = 0

    def __post_init__(self) -> None:
        k = self.weights.shape[0]
        limits = (("bias", self.bias, -(1 << 31), (1 << 31) - 1), ("multiplier", self.multiplier, 0, (1 << 24) - 1),
                  ("shift", self.shift, 0, 59))  # fmt: skip
        for key, values, low, high in limits:
            if values.shape != (k,):
                raise InputError(f"layer constants: {key} has shape {values.shape}, {k} channels need ({k},); reshape")
            if values.size and (values.min() < low or values.max() > high):
                raise InputError(f"layer constants: {key} spans {values.min()}..{values.max()}, bound is {low}..{high}")
        for name, value in (("second_multiplier", self.second_multiplier), ("mean_multiplier", self.mean_multiplier)):
            if not 0 <= value < 1 << 24:
                raise InputError(f"layer constants: {name} is {value}, bound is 0..{(1 << 24) - 1}; rescale")
        if not 0 <= self.mean_shift <= 32:
            raise InputError(f"layer constants: mean_shift is {self.mean_shift}, bound is 0..32; rescale")
        if self.second_multiplier and len(set(self.shift.tolist())) > 1:
            raise InputError("layer constants: a second operand needs one shift for all channels; equalise them")


def rounded_shift(values: IntArray, shift: IntArray | int) -> IntArray:
    """Return ``(values + 2**(shift - 1)) >> shift``, ties up; `values` where shift is 0."""
    amount = np.asarray(shift, dtype=np.int64)
    half = np.where(amount > 0, np.int64(1) << np.maximum(amount - 1, 0), 0)
    result: IntArray = (values + half) >> amount
    return result


def requantise(sums: IntArray, constants: LayerConstants, relu: bool, second: IntArray | None = None) -> IntArray:
    """Return the int8 codes of `sums` (..., K), with the second operand added before the rounding.

    ``clamp(((sum + bias) * multiplier + second * second_multiplier + half) >> shift)`` in exact integers: in
    64 bits where sum and bias together have 37 bits at most (below 2**61), in Python's otherwise.
    """
    biased = sums + constants.bias
    if biased.size and int(np.abs(biased).max()) >= 1 << 36:
        biased = biased.astype(object)
    wide = biased * constants.multiplier
    if second is not None:
        wide = wide + second * constants.second_multiplier
    codes = np.clip(
        rounded_shift(wide, constants.shift), 0 if relu else EngineParams.OUTPUT.min, EngineParams.OUTPUT.max
    )
    return np.asarray(codes, dtype=np.int64)


def convolve(
    inputs: IntArray,
    weights: IntArray,
    stride: tuple[int, int],
    dilation: tuple[int, int],
    pad: tuple[tuple[int, int], tuple[int, int]],
    accumulator_bits: int,
) -> IntArray:
    """Return the sums (N, OY, OX, K) of a convolution of `inputs` (N, Y, X, C) by `weights` (K, C, FY, FX).

    Written as the definition, tap by tap; sums wrap at `accumulator_bits`, signed.
    """
    (top, bottom), (left, right) = pad
    framed = np.pad(inputs, ((0, 0), (max(top, 0), max(bottom, 0)), (max(left, 0), max(right, 0)), (0, 0)))
    _, _, fy, fx = weights.shape
    out_y = (inputs.shape[1] + top + bottom - (fy - 1) * dilation[0] - 1) // stride[0] + 1
    out_x = (inputs.shape[2] + left + right - (fx - 1) * dilation[1] - 1) // stride[1] + 1
    sums = np.zeros((inputs.shape[0], out_y, out_x, weights.shape[0]), dtype=np.int64)
    first_y, first_x = max(-top, 0), max(-left, 0)
    for y in range(fy):
        for x in range(fx):
            low_y, low_x = first_y + y * dilation[0], first_x + x * dilation[1]
            seen = framed[:, low_y : low_y + (out_y - 1) * stride[0] + 1 : stride[0]]
            seen = seen[:, :, low_x : low_x + (out_x - 1) * stride[1] + 1 : stride[1]]
            sums += seen @ weights[:, :, y, x].T
    return Int(accumulator_bits).wrap(sums)


def pool(codes: IntArray, window: tuple[int, int], mean: bool, constants: LayerConstants) -> IntArray:
    """Return `codes` (N, Y, X, K) pooled over windows side by side: the greatest, or the mean the engine's way."""
    n, y, x, k = codes.shape
    parts = codes.reshape(n, y // window[0], window[0], x // window[1], window[1], k)
    if not mean:
        return np.asarray(parts.max(axis=(2, 4)))
    means = rounded_shift(parts.sum(axis=(2, 4)) * constants.mean_multiplier, constants.mean_shift)
    return np.clip(means, EngineParams.OUTPUT.min, EngineParams.OUTPUT.max)
