"""Small engines with few cycles of work that exercise every line of the layer engine.

Mappings are drawn from fixed seeds; integers have their corners (shift 0, clamped codes, extreme bias) set by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain, product
from math import prod

import numpy as np

from hw_models.accelerator import Dataflow
from hw_models.layer_engine import EngineParams, LayerConstants
from hw_models.sparsity import Sparsity
from mappers.commands import ComputeCommand, LoadCommand, StoreCommand, Transfer
from mappers.given import GivenPlan
from mappers.mapping import Mapping, TileLoop
from mappers.plan import make_plan
from rtl.engine_run import NO_ERROR, EngineOutcome, EngineRun
from sim.machine import run_program
from tests.cosim.engine_networks import (
    LINES,
    block,
    boxes,
    broad,
    chain_of_three,
    images,
    lines,
    narrow,
    planes,
    pooled_residual,
    products,
    rows,
    strided_mean,
    two_inputs,
)
from tilewright.engine_case import EngineCase, case_of, draw_constants, engine_case
from tilewright.engine_draw import draw_plan, machine_of
from workloads.builder import NetworkBuilder
from workloads.errors import InputError
from workloads.formats import Int

BASE = EngineParams(
    rows=3, cols=2, input_format=Int(8), weight_format=Int(8), accumulator_bits=32, input_bytes=512, weight_bytes=512,
    operand_bytes=256, output_bytes=256, coefficient_channels=32, accumulator_depth=20, pool_depth=4,
    vector_latency_cycles=7, issue_cycles=1, memory_latency_cycles=5, beat_bytes=4, burst_beats=4, outstanding=3,
    commands=16,
)  # fmt: skip


def moved(case: EngineCase, offset: int) -> EngineCase:
    """Return `case` with everything in DRAM `offset` bytes further on, on beat boundaries or not."""
    commands = tuple(
        replace(c, transfers=tuple(replace(t, address=t.address + offset) for t in c.transfers))
        if isinstance(c, LoadCommand | StoreCommand)
        else c
        for c in case.program.commands
    )
    program = replace(case.program, commands=commands, dram_bytes=case.program.dram_bytes + offset)
    addresses = {name: address + offset for name, address in case.addresses.items()}
    cycles = run_program(program, case.accelerator).cycles
    return replace(case, program=program, addresses=addresses, predicted_cycles=cycles)


def corners(constants: LayerConstants, residual: bool) -> LayerConstants:
    """Return `constants` with channels at the bounds of what the vector unit takes."""
    bias, multiplier, shift = (values.copy() for values in (constants.bias, constants.multiplier, constants.shift))
    if residual:
        return replace(constants, bias=bias * 50)
    for channel in range(1, len(bias)):
        kind = channel % 4
        if kind == 1:
            bias[channel], multiplier[channel], shift[channel] = bias[channel] % 40, 1, 0
        elif kind == 2:
            bias[channel], multiplier[channel], shift[channel] = -(1 << 31), (1 << 24) - 1, 49
        elif kind == 3:
            bias[channel], multiplier[channel], shift[channel] = (1 << 31) - 1, (1 << 23) + 1, 48
    return replace(constants, bias=bias, multiplier=multiplier, shift=shift)


def sums_pooled(constants: LayerConstants, window: int) -> LayerConstants:
    """Return `constants` whose mean is the bare sum: multiplier 1, shift 0, codes small enough."""
    shift = np.full_like(constants.shift, 20)
    multiplier = np.maximum(1, (constants.multiplier << 20 >> constants.shift) // window // 8)
    return replace(constants, multiplier=multiplier, shift=shift, mean_multiplier=1, mean_shift=0)


CHANGES: tuple[tuple[Dataflow, Dataflow], ...] = (("is", "ws"), ("is", "os"), ("os", "is"), ("ws", "is"))
Build = Callable[[NetworkBuilder], str]


def make_case(
    params: EngineParams, build: Build, seed: int, offset: int = 0, edges: bool = True, drawn: bool = True,
    bare: bool = False, nests: Sequence[Mapping] = (),
) -> EngineCase:  # fmt: skip
    """Return the case of the network of `build`: mapping and integers drawn, its DRAM from `offset` on.

    Parameters
    ----------
    edges : bool
        Set channels at the bounds of the vector unit.
    drawn : bool
        Draw the mapping; take the searched one otherwise.
    bare : bool
        Let means be bare sums.
    nests : sequence of Mapping
        The mappings, in place of those drawn or searched.
    """
    b = NetworkBuilder("case", "case", weight=params.weight_format)
    network = b.build(build(b))
    draw = np.random.default_rng(seed)
    given = GivenPlan({nest.layer: (nest,) for nest in nests}, {}) if nests else None
    plan = make_plan(network, machine_of(params), given=given)
    if drawn and not nests:
        plan = draw_plan(draw, plan)
    groups = [entry.group for entry in plan.groups]
    constants = draw_constants(groups, draw, params)
    for group in groups:
        name = group.lead.name
        if edges:
            constants[name] = corners(constants[name], bool(group.residual))
        if bare and group.pool is not None:
            constants[name] = sums_pooled(constants[name], prod(w.taps for w in group.pool.windows))
    case = case_of(network, plan.accelerator, groups, plan.layout, plan.addresses, plan.program, seed, constants)
    return moved(replace(case, params=params), offset)


def runnable(params: EngineParams, build: Build, offset: int) -> EngineCase:
    """Return the first case of several commands, of every dataflow if it has the layers, that the engine takes."""
    for seed in range(100):
        case = make_case(params, build, seed, offset, edges=False)
        flows = [c.dataflow for c in case.program.commands if isinstance(c, ComputeCommand)]
        try:
            case.run()
        except InputError:
            continue
        if len(flows) > 2 and len({*flows}) == min(len(params.dataflows), len(case.groups)):
            return case
    raise AssertionError(f"no mapping of {build.__name__} for {params.name}")


def mapped(params: EngineParams, build: Build, *nests: Mapping, offset: int = 0) -> EngineCase:
    """Return the case of the layers of `build` under `nests`."""
    b = NetworkBuilder("case", "case", weight=params.weight_format)
    given = GivenPlan({nest.layer: (nest,) for nest in nests}, {})
    return moved(
        replace(engine_case(make_plan(b.build(build(b)), machine_of(params), given=given)), params=params), offset
    )


def boxed(params: EngineParams, offset: int) -> EngineCase:
    """Return a case whose sums are made box by box of their pixels, with smaller boxes at the ends."""
    loops = (TileLoop("C", 4, 2), TileLoop("OX", 3, 2), TileLoop("OY", 5, 2))
    return mapped(params, boxes, Mapping("conv", "core0", "is", loops, (("I", 1), ("W", 1), ("O", 0))), offset=offset)


def hasty(params: EngineParams, height: int = LINES, width: int = 8) -> EngineCase:
    """Return a case of many short commands that wait for nothing, or of one of many short folds."""
    loops = [TileLoop(dim, size, tile) for dim, size, tile in (("OY", LINES, height), ("OX", 8, width)) if tile < size]
    return mapped(params, lines, Mapping("conv", "core0", "is", tuple(loops), (("I", 0), ("W", 0), ("O", 0))))


def changing(params: EngineParams, first: Dataflow, second: Dataflow) -> EngineCase:
    """Return a case whose second layer has all it needs while the first is on the array, under another dataflow."""
    whole = (("I", 0), ("W", 0), ("O", 0))
    flows = (("first", first), ("second", second))
    return mapped(params, two_inputs, *(Mapping(name, "core0", flow, (), whole) for name, flow in flows))


def nest(layer: str, flow: Dataflow, loops: Sequence[TileLoop] = (), cuts: Sequence[int] = (0, 0, 0)) -> Mapping:
    """Return a mapping of `layer`: `loops` outermost first, cuts of I, W, O."""
    return Mapping(layer, "core0", flow, tuple(loops), tuple(zip("IWO", cuts, strict=True)))


def bursts(transfer: Transfer, params: EngineParams) -> Iterator[int]:
    """Yield the address of every AXI burst of `transfer`, run by run."""
    beat, longest = params.beat_bytes, params.beat_bytes * params.burst_beats
    for places in product(*(range(count) for count in transfer.counts)):
        start = transfer.address + sum(n * pitch for n, pitch in zip(places, transfer.pitches_bytes, strict=True))
        at, end = start // beat * beat, start + transfer.run_bytes
        while at < end:
            yield at
            at = min(at + longest, at // 4096 * 4096 + 4096)


@dataclass(frozen=True)
class Played:
    """One run of a case, with the options of `EngineRun`."""

    case: EngineCase
    disturb: bool = False
    error_from: int = NO_ERROR
    reset_after_cycles: int = 0
    reset_cycles: int = 2
    probe: bool = False

    def run(self) -> EngineRun:
        """Return the run, given up early: a hang of a mutant should not cost twenty runs."""
        run = self.case.run(
            disturb=self.disturb,
            error_from=self.error_from,
            reset_after_cycles=self.reset_after_cycles,
            reset_cycles=self.reset_cycles,
            probe=self.probe,
        )
        return replace(run, expected_cycles=self.case.predicted_cycles // (4 if self.disturb else 16))

    def error(self) -> int:
        """Return the error register that the run must leave."""
        error = 0
        for command in self.case.program.commands:
            if isinstance(command, LoadCommand | StoreCommand):
                addresses = chain.from_iterable(bursts(transfer, self.case.params) for transfer in command.transfers)
                error |= (max(addresses) >= self.error_from) << (command.engine == "store")
        return error

    def verdict(self, outcome: EngineOutcome) -> str:
        """Return ``value``, ``cycle`` or ``interface`` if the run is not as it must be, "" if it is."""
        if outcome.cycles < 0 or outcome.memory is None:
            return "interface"
        if self.case.wrong(outcome.memory) or outcome.error != self.error():
            return "value"
        return "cycle" if not self.disturb and outcome.cycles != self.case.predicted_cycles else ""


WIDE_BEAT = replace(
    BASE, rows=2, beat_bytes=32, burst_beats=2, outstanding=4, memory_latency_cycles=3, commands=32,
    weight_format=Int(3, signed=False), accumulator_bits=20,
)  # fmt: skip
ONE_ROW = replace(
    BASE, rows=1, cols=3, beat_bytes=8, burst_beats=1, outstanding=1, issue_cycles=3, memory_latency_cycles=1,
    vector_latency_cycles=9, commands=32,
)  # fmt: skip
ONE_COLUMN = replace(
    BASE, rows=4, cols=1, beat_bytes=2, burst_beats=16, outstanding=2, issue_cycles=2, memory_latency_cycles=12,
    commands=32, weight_format=Int(4),
)  # fmt: skip
TIGHT = replace(
    BASE, input_bytes=64, weight_bytes=64, operand_bytes=32, output_bytes=32, accumulator_depth=8,
    coefficient_channels=16, commands=64,
)  # fmt: skip
"""Tiles of `block` fill both halves of every memory but that of the weights, which those of `rows` fill."""
FULL = replace(TIGHT, accumulator_depth=32, weight_bytes=256)
"""Tiles of `broad` fill both halves of the input memory, at odd addresses, those of `narrow` of the output memory."""
OUTPUTS_STAY = replace(BASE, dataflows=("os",), commands=32)
SPARSE = replace(BASE, rows=2, sparsity=Sparsity(2, 3), weight_format=Int(5), pool_depth=8, commands=32)
BOTH = replace(
    BASE, rows=2, sparsity=Sparsity(1, 2), dataflows=("ws", "os"), issue_cycles=2, pool_depth=8, commands=32,
)  # fmt: skip
INPUTS_STAY = replace(BASE, rows=2, cols=3, dataflows=("is",), accumulator_depth=40, commands=32)
THREE = replace(BASE, dataflows=("ws", "os", "is"), weight_format=Int(4, signed=False), issue_cycles=2, commands=32)
HASTY = replace(
    BASE, rows=1, cols=7, dataflows=("is",), memory_latency_cycles=1, beat_bytes=16, input_bytes=1024,
    weight_bytes=1024, accumulator_depth=88, commands=64,
)  # fmt: skip
"""Jobs of `hasty` follow each other faster than one passes along the columns."""
TIGHT_OS = replace(TIGHT, dataflows=("os",), sparsity=Sparsity(1, 2))
PAGE = 4096


@cache
def usual_runs() -> dict[EngineParams, tuple[Played, ...]]:
    """Return the engines with runs on drawn or searched mappings, without a reset where none is asked for.

    Tensors lie across a 4 KiB boundary, most of them at odd addresses.
    """
    first, odd = make_case(BASE, products, 12, PAGE - 90), make_case(BASE, products, 0, PAGE - 41)
    residual, means = make_case(BASE, pooled_residual, 38, PAGE - 133), make_case(BASE, strided_mean, 13, PAGE - 66)
    tiles = make_case(BASE, pooled_residual, 2, PAGE - 150)
    return {
        BASE: (
            Played(first, probe=True),
            Played(residual),
            Played(means),
            Played(first, error_from=PAGE),
            Played(odd, reset_after_cycles=75, probe=True),
            Played(tiles, disturb=True),
            Played(odd, error_from=first_output(odd)),
            Played(make_case(BASE, planes, 796, PAGE - 66)),
            Played(make_case(BASE, planes, 778, PAGE - 66)),
            Played(make_case(BASE, images, 0, PAGE - 65, edges=False)),
        ),
        ONE_ROW: (
            Played(make_case(ONE_ROW, products, 8, PAGE - 75)),
            Played(make_case(ONE_ROW, strided_mean, 30, PAGE - 51, bare=True, edges=False), disturb=True),
            Played(make_case(ONE_ROW, pooled_residual, 38, PAGE - 111, edges=False)),
        ),
        ONE_COLUMN: (
            Played(make_case(ONE_COLUMN, products, 0, PAGE - 33), probe=True),
            Played(make_case(ONE_COLUMN, strided_mean, 8, PAGE - 99, edges=False), reset_after_cycles=200),
            Played(make_case(ONE_COLUMN, pooled_residual, 10, PAGE - 122)),
        ),
        WIDE_BEAT: (
            Played(make_case(WIDE_BEAT, strided_mean, 13, PAGE - 64, bare=True, edges=False)),
            Played(make_case(WIDE_BEAT, pooled_residual, 38, PAGE - 201, edges=False), disturb=True),
            Played(make_case(WIDE_BEAT, products, 8, PAGE - 161)),
        ),
        TIGHT: tuple(
            Played(make_case(TIGHT, build, 0, PAGE - 65, drawn=False), disturb)
            for build, disturb in ((block, False), (block, True), (rows, True))
        ),
        FULL: tuple(
            Played(make_case(FULL, build, 0, PAGE - 65, edges=False, drawn=False), disturb)
            for build in (narrow, broad)
            for disturb in (True, False)
        ),
        **{
            params: (
                Played(runnable(params, products, PAGE - 75)),
                Played(runnable(params, pooled_residual, PAGE - 133)),
                Played(runnable(params, strided_mean, PAGE - 66), disturb=True),
                Played(runnable(params, planes, PAGE - 66), reset_after_cycles=75),
            )
            for params in (OUTPUTS_STAY, SPARSE, BOTH)
        },
        THREE: (
            Played(runnable(THREE, chain_of_three, PAGE - 75)),
            *(Played(changing(THREE, *flows)) for flows in CHANGES),
            Played(changing(THREE, *CHANGES[0]), reset_after_cycles=90),
            Played(changing(THREE, *CHANGES[0]), reset_after_cycles=90, reset_cycles=1),
            Played(runnable(THREE, strided_mean, PAGE - 66), disturb=True),
        ),
        INPUTS_STAY: (
            Played(runnable(INPUTS_STAY, products, PAGE - 75)),
            Played(runnable(INPUTS_STAY, pooled_residual, PAGE - 133)),
            Played(boxed(INPUTS_STAY, PAGE - 66)),
            Played(runnable(INPUTS_STAY, strided_mean, PAGE - 66), disturb=True),
            Played(boxed(INPUTS_STAY, PAGE - 65), reset_after_cycles=150),
        ),
        HASTY: (
            Played(hasty(HASTY)),
            Played(hasty(HASTY, 2, 3)),
            Played(hasty(HASTY, 4, 3), reset_after_cycles=40),
            Played(hasty(HASTY, 1, 7), disturb=True),
        ),
    }


def first_output(case: EngineCase) -> int:
    """Return an address from which on some stores answer with an error, and no load but of what they stored."""
    return min(t.address for c in case.program.commands if isinstance(c, StoreCommand) for t in c.transfers)
