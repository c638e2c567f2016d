"""Every core that is generated, at a size that verifies in seconds, with what it is and where it comes from."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from hw_models.bins import BinsParams
from hw_models.dequantise import DequantParams
from hw_models.description import load_accelerator
from hw_models.dot import DotParams
from hw_models.fabric import ArbiterParams, FifoParams, SkidParams
from hw_models.fp16 import FP16Params
from hw_models.layer_engine import engine_params
from hw_models.nibbles import AWQ_ORDER
from hw_models.pool import PoolParams
from hw_models.products import IntProduct, NMProduct, Product
from hw_models.products_narrow import SelectProduct, TernaryProduct, XnorProduct
from hw_models.products_power import PowerProduct
from hw_models.products_table import CodebookProduct, OddProduct, ShiftProduct, SplitProduct
from hw_models.requant import RequantParams
from hw_models.scratchpad import BankedParams
from hw_models.shift_read import ShiftReadParams
from hw_models.systolic import SystolicParams
from hw_models.systolic_nm import SystolicNMParams
from hw_models.thresholds import ThresholdParams
from hw_models.topk import TopKParams
from hw_models.zero_point import ZeroPointParams
from hw_models.zero_skip import SkipParams
from workloads.formats import Float16, Float32, Int

Entry = tuple[object, str, str]
OWN = "own design"
LANES = 4
ACCUMULATOR_DEPTH = 256


def catalogue() -> Iterator[Entry]:
    """Yield (parameters, what it is, source) of each core, in a fixed order."""
    yield from _systolic()
    for product, summary, source in _products():
        yield DotParams(product, LANES, 40), f"dot product, {LANES} lanes: {summary}", source
    yield from _sparse_and_stored()
    yield from _fabric()
    parts, own = "DMA, scratchpads, array, vector unit, sequencer", "own design; docs/layer_engine.md"
    yield engine_params(load_accelerator("engine_8x8")), f"layer engine: {parts}", own
    yield engine_params(load_accelerator("engine_8x8_nm")), f"layer engine, 2 of 4 weights kept: {parts}", own
    small = ["core.rows=4", "core.cols=4", "core.vector.lanes=4"]
    outputs, inputs = [*small, "core.dataflows=[os]"], [*small, "core.dataflows=[is]"]
    yield engine_params(load_accelerator("engine_8x8", outputs)), f"layer engine, output-stationary: {parts}", own
    sparse = engine_params(load_accelerator("engine_8x8_nm", outputs))
    yield sparse, f"layer engine, output-stationary, 2 of 4 weights kept: {parts}", own
    yield engine_params(load_accelerator("engine_8x8", inputs)), f"layer engine, input-stationary: {parts}", own
    yield from _epilogue()


def _systolic() -> Iterator[Entry]:
    fold_rule = "own design; fold rule in docs/architecture.md section 3"
    whats = {
        "ws": "weight-stationary systolic array, shadow weights, accumulator memory",
        "os": "output-stationary systolic array, results drained behind the next fold",
        "is": "input-stationary systolic array, shadow activations, accumulator memory",
    }
    formats = {
        "ws": ((Int(8), Int(8)), (Int(4), Int(4)), (Int(8), Int(4)), (Int(8, signed=False), Int(8)), (Int(8), Int(2))),
        "os": ((Int(8), Int(8)), (Int(4), Int(4)), (Int(8), Int(4)), (Int(2), Int(2))),
        "is": ((Int(8), Int(8)), (Int(8), Int(4))),
    }
    for flow in ("ws", "os", "is"):
        for a, w in formats[flow]:
            params = SystolicParams(flow, 4, 4, a, w, Int(32), ACCUMULATOR_DEPTH)
            yield params, f"{whats[flow]}, {a} x {w} -> int32", fold_rule
    i8, sat = Int(8), f"SAT, arXiv 2309.13015; {fold_rule}"
    for n, m in ((1, 4), (2, 4), (2, 8), (4, 8)):
        sparse = SystolicNMParams("ws", 4, 4, i8, i8, Int(32), ACCUMULATOR_DEPTH, kept=n, group=m)
        yield sparse, f"{whats['ws']}, {n} of {m} weights kept, int8 x int8 -> int32", sat
    sparse = SystolicNMParams("os", 4, 4, i8, i8, Int(32), ACCUMULATOR_DEPTH, kept=2, group=4)
    yield sparse, f"{whats['os']}, 2 of 4 weights kept, int8 x int8 -> int32", sat


def _products() -> Iterator[tuple[Product, str, str]]:
    i8, u8, i4, i2 = Int(8), Int(8, signed=False), Int(4), Int(2)
    for a, w in ((i8, i8), (u8, i8), (i8, i4), (i8, i2), (i4, i4), (i2, i2)):
        yield IntProduct(a, w), f"{a} x {w}", OWN
    for n, m in ((1, 4), (2, 4), (2, 8), (4, 8)):
        yield NMProduct(n, m, i8, i8), f"{n} of {m} weights kept, values and indices", "SAT, arXiv 2309.13015"
    narrow = "facebookresearch/Ternary_Binary_Transformer, ACL 2023"
    yield XnorProduct(32), "XNOR and population count, 32 bits a lane", narrow
    yield TernaryProduct(16), "ternary by ternary, 16 trits a lane", narrow
    yield SelectProduct(i8, binary=True), "add or subtract by a weight bit", narrow
    yield SelectProduct(i8, binary=False), "add, subtract or skip by a weight trit", narrow
    yield OddProduct(i4, 2), "odd-code (mid-rise) weights of 2 bits", "OFQ, arXiv 2302.02210"
    yield OddProduct(i8, 4), "odd-code (mid-rise) weights of 4 bits", "OFQ, arXiv 2302.02210"
    yield ShiftProduct(i8, 7), "power-of-two weights, shifts", OWN
    yield CodebookProduct(i8, tuple(range(-8, 8))), "codebook of 16 entries, decode then multiply", "arXiv 2112.15139"
    yield SplitProduct(i8, 2, (3, 100, 17), (1, 2, 0)), "three clusters, scale selected", "SplitQuant, arXiv 2501.12428"
    power = "PowerQuant and NUPES, arXiv 2301.09858 and 2308.05600"
    for form in ("decode", "table", "square"):
        yield PowerProduct(4, Fraction(1, 2), form), f"power-exponent codes, a = 1/2, {form}", power
    yield PowerProduct(4, Fraction(2, 3), "decode", 6), "power-exponent codes, a = 2/3, decode tables", power


def _sparse_and_stored() -> Iterator[Entry]:
    yield SkipParams(Int(8), Int(8), pes=4, block=8, form="bitmap"), "zero-skipping row, bitmaps", OWN
    yield SkipParams(Int(8), Int(8), pes=4, block=8, form="coordinate"), "zero-skipping row, coordinates", OWN
    yield BinsParams(Int(8), (0, 3, -7, 100)), "codebook by bins: add per index, then multiply", "arXiv 2112.15139"
    zero = ZeroPointParams(Int(8, signed=False), Int(8), Int(32), LANES, 64)
    yield zero, "zero-point correction of raw sums, exact", "four-term expansion; EQ-Net, ICCV 2023"
    sat = "SAT, arXiv 2309.13015"
    yield TopKParams(2, 4, Int(8), 4), "N:M online reduction: 2 greatest of 4", sat
    yield TopKParams(2, 8, Float16(), 2), "N:M online reduction: 2 greatest of 8, binary16", sat
    yield FP16Params(4, 4, Float16()), "binary16 multiply-add, sums interleaved", sat
    yield FP16Params(4, 4, Float32()), "binary16 products, binary32 sums interleaved", sat
    awq = "AWQ, arXiv 2306.00978; storage order of mit-han-lab/llm-awq"
    yield DequantParams(4, 16, Int(8), AWQ_ORDER), "dequantise on read, integer scales", awq
    yield DequantParams(4, 128, Float16(), AWQ_ORDER), "dequantise on read, binary16 scales", awq


def _fabric() -> Iterator[Entry]:
    yield FifoParams(6, 8), "FIFO of 6 beats, registered outputs", OWN
    yield SkidParams(8), "register slice: skid buffer and output register", OWN
    yield ArbiterParams(4, 8), "round-robin arbiter of 4 streams of packets", OWN
    yield BankedParams(4, 16, 8, 2, 1), "scratchpad of 4 banks, 2 read ports and 1 write port", OWN
    yield ShiftReadParams(64, 8), "feature map read shifted by address, borders not read", "FE-Net, CVPR 2019"


def _epilogue() -> Iterator[Entry]:
    i8, u4 = Int(8), Int(4, signed=False)
    affine = "integer-only inference, arXiv 1712.05877"
    yield RequantParams(LANES), "requantiser: multiply, shift, clamp; halves up", affine
    yield RequantParams(LANES, rounding="half_even"), "requantiser: multiply, shift, clamp; halves to even", affine
    added = RequantParams(LANES, multiplier_bits=30, residual=i8)
    yield added, "requantiser with residual add before the rounding", affine
    finn = "FINN, arXiv 1612.07119"
    yield ThresholdParams(LANES, u4), "threshold bank: 15 thresholds a channel, two tiles in turn", finn
    yield ThresholdParams(LANES, i8), "threshold bank: 255 thresholds a channel, two tiles in turn", finn
    yield PoolParams("max", LANES, 9, i8), "maximum of windows of up to 9", OWN
    yield PoolParams("avg", LANES, 9, i8), "mean of windows of up to 9, what is there counted", OWN
    yield PoolParams("avg_padded", LANES, 9, i8), "mean of windows of up to 9, all counted", OWN
