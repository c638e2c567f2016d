"""ZigZag's accesses, energy and latency of a mapping, to the last access and cycle.

The rules are those of zigzag-dse 3.9.1, read from what it computes and held against its own results in
`tests/validation/test_zigzag_counts.py`. They are kept apart from the mapper's cost model, so that a plan can be judged
by the peer's rules without the peer. Where a layer's sizes are no multiples of the unrolling, energy is counted with
broken shares and latency with their whole part, as ZigZag does.

Source: L. Mei et al., ZigZag, IEEE Transactions on Computers 2021, and A. Symons et al., LOMA, AICAS 2021.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, prod

from hw_models.importers.zigzag_hardware import DIRECTIONS, Direction, ZigZagHardware
from mappers.exchange.zigzag_latency import Movement, latency
from mappers.exchange.zigzag_loops import OperandLoops, Temporal, Unrolling, operand_loops, shares
from workloads.errors import InputError
from workloads.importers.records import ForeignProblem

UPWARD: tuple[Direction, ...] = ("th", "fh")


@dataclass(frozen=True, slots=True)
class ZigZagCount:
    """What ZigZag says of a mapping.

    Parameters
    ----------
    accesses : mapping of role to levels
        Per level, innermost first, the accesses by direction.
    energy_pj, mac_energy_pj : float
        Memories and multipliers; multipliers alone.
    stall_cycles, onloading_cycles, offloading_cycles, drain_cycles : float
        What is added to the steps in time.
    """

    accesses: dict[str, tuple[dict[Direction, int], ...]]
    energy_pj: float
    mac_energy_pj: float
    steps: int
    stall_cycles: float
    onloading_cycles: float
    offloading_cycles: float
    drain_cycles: int

    @property
    def latency_cycles(self) -> float:
        """Value of all cycles."""
        ends = self.onloading_cycles + self.offloading_cycles
        return self.steps + self.stall_cycles + ends + self.drain_cycles

    @property
    def edp(self) -> float:
        """Value of energy times latency, in pJ x cycles."""
        return self.energy_pj * self.latency_cycles


def count(
    hardware: ZigZagHardware, layer: ForeignProblem, unrolling: Unrolling, temporal: Temporal,
    links: Mapping[str, str],
) -> ZigZagCount:  # fmt: skip
    """Return ZigZag's figures.

    Parameters
    ----------
    unrolling : mapping of axis to (dimension, factor) pairs
        Factors on the array.
    temporal : mapping of role to levels of (dimension, factor)
        Loops in time of each memory of the role, innermost first.
    links : mapping of role to memory operand
        Such as ``{"I": "I1", "W": "I2", "O": "O"}``.

    Raises
    ------
    InputError
        If the loops of a role are not the steps that the unrolling leaves, or a transfer has no port.
    """
    exact, whole = shares(layer, unrolling, True), shares(layer, unrolling, False)
    _check_steps(layer, exact, temporal)
    moves: dict[str, list[Movement]] = {}
    accesses: dict[str, tuple[dict[Direction, int], ...]] = {}
    fine: dict[str, OperandLoops] = {}
    energy = 0.0
    for tensor in (layer.output, *layer.inputs):
        operand = links[tensor.name]
        fine[tensor.name] = operand_loops(hardware, layer, operand, tensor, exact, temporal[tensor.name])
        coarse = operand_loops(hardware, layer, operand, tensor, whole, temporal[tensor.name])
        levels = []
        for at, move in enumerate(movements(fine[tensor.name], operand)):
            memory = hardware.levels(operand)[at]
            found: dict[Direction, int] = {}
            for way in DIRECTIONS:
                found[way] = _accesses(move, way, fine[tensor.name].instances(at + 1))
                cost = memory.read_energy_pj if way in ("tl", "th") else memory.write_energy_pj
                energy += found[way] * cost
            levels.append(found)
        accesses[tensor.name] = tuple(levels)
        moves[tensor.name] = movements(coarse, operand)
    steps = fine[layer.output.name].cycles(len(temporal[layer.output.name]))
    stall, load, unload = latency(hardware, layer, links, moves, fine, steps)
    drain = sum(
        ceil(prod(factor for dim, factor in unrolling[axis] if dim in dict(layer.dims))) - 1
        for axis in hardware.systolic_axes
        if axis in unrolling
    )
    macs = hardware.mac_energy_pj * layer.macs
    return ZigZagCount(accesses, energy + macs, macs, steps, stall, load, unload, max(drain, 0))


def _check_steps(
    layer: ForeignProblem, exact: Mapping[str, tuple[tuple[str, Fraction], ...]], temporal: Temporal
) -> None:
    """Refuse loops in time that are not the steps that the unrolling leaves of each dimension."""
    for role, levels in temporal.items():
        for dim, size in layer.dims:
            space = prod((x for loops in exact.values() for d, x in loops if d == dim), start=Fraction(1))
            given = prod(factor for level in levels for d, factor in level if d == dim)
            if given != ceil(size / space):
                raise InputError(
                    f"mapping: {role} has {given} steps of {dim}, bound is {ceil(size / space)} (size {size} over "
                    f"{float(space):g} positions); correct the loops"
                )


def movements(loops: OperandLoops, operand: str) -> list[Movement]:
    """Return what each level moves, innermost first; the outermost moves nothing upward."""
    tensor, levels = loops.tensor, len(loops.memories)
    total = loops.cycles(levels)
    tiles = [round(loops.reach(loops.with_space_below(at))[0]) for at in range(levels + 1)]
    periods = [_first_period(loops) if at == 0 else loops.cycles(at) for at in range(levels + 1)]
    partial = [_partial(loops, at + 1) for at in range(levels)] + [False]
    held = [_bits(loops, partial[at]) for at in range(levels + 1)]
    found = []
    for at in range(levels):
        top = at == levels - 1
        down = (tiles[at] * loops.boost(at), periods[at])
        up = (0, 0) if top else (tiles[at + 1], periods[at + 1])
        amounts: dict[Direction, tuple[int, int]] = dict.fromkeys(DIRECTIONS, (0, 0))
        bits: dict[Direction, int] = dict.fromkeys(DIRECTIONS, 0)
        if tensor.output:
            sums, done = _uses_left(loops, at + 1) > 1, _uses_left(loops, at + 2) > 1
            amounts |= {"fl": down, "th": up}
            amounts |= {"tl": down if partial[at] else (0, 0), "fh": up if partial[at + 1] else (0, 0)}
            bits |= {"fl": _bits(loops, sums), "tl": _bits(loops, True) if sums else 0}
            bits |= {"th": _bits(loops, done), "fh": _bits(loops, True) if done else 0}
        else:
            amounts |= {"tl": down, "fh": up}
            bits |= {"tl": _bits(loops, False), "fh": _bits(loops, False)}
        rates = {
            "down": floor(Fraction(tiles[at] * held[at], periods[at]) * loops.boost(at)),
            "up": 0 if top else floor(Fraction(tiles[at + 1] * held[at + 1], periods[at + 1])),
        }
        idle = (_idle(loops, at), _idle(loops, at + 1))
        counts = {way: total // period if period else 0 for way, (_, period) in amounts.items()}
        sizes = (tiles[1] * held[1], tiles[at + 1] * held[at + 1], _grown(loops, at + 1))
        found.append(Movement(operand, loops.memories[at], amounts, bits, counts, rates, idle, *sizes))
    return found


def _first_period(loops: OperandLoops) -> int:
    """Return the steps for which a multiplier keeps its word of an input: irrelevant loops at the very bottom."""
    if loops.tensor.output:
        return 1
    steps = 1
    for dim, size in loops.temporal[0]:
        if not loops.irrelevant(dim):
            break
        steps *= int(size)
    return steps


def _idle(loops: OperandLoops, level: int) -> int:
    """Return the product of the irrelevant loops at the top of memory `level - 1`; 1 for level 0."""
    return _top(loops, level, loops.irrelevant)


def _grown(loops: OperandLoops, level: int) -> int:
    """Return the product of the loops at the top of memory `level - 1` that index the operand alone."""
    return _top(loops, level, lambda dim: dim in loops.plain)


def _top(loops: OperandLoops, level: int, wanted: object) -> int:
    steps = 1
    for dim, size in reversed(loops.temporal[level - 1]) if level else ():
        if not wanted(dim):  # type: ignore[operator]
            break
        steps *= int(size)
    return steps


def _uses_left(loops: OperandLoops, level: int) -> Fraction:
    """Return the product of the irrelevant loops, in time and space, from `level` on."""
    left = Fraction(1)
    for at in range(level, len(loops.spatial)):
        inner = loops.temporal[at - 1] if at else ()
        left *= prod((size for dim, size in (*inner, *loops.spatial[at]) if loops.irrelevant(dim)), start=Fraction(1))
    return left


def _partial(loops: OperandLoops, level: int) -> bool:
    """Tell whether what crosses into `level` is a partial sum."""
    return loops.tensor.output and _uses_left(loops, level) > 1


def _bits(loops: OperandLoops, partial: bool) -> int:
    tensor = loops.tensor
    bits = tensor.partial_bits if partial or not tensor.output else tensor.bits
    assert bits is not None
    return bits


def _accesses(move: Movement, way: Direction, instances: int) -> int:
    amount, _ = move.amounts[way]
    if not amount or not move.bits[way]:
        return 0
    port = move.memory.port_of(move.operand, way)
    if port is None:
        raise InputError(
            f"memory '{move.memory.name}': no port carries '{move.operand}, {way}'; add it to an allocation"
        )
    quanta = ceil(Fraction(amount * move.bits[way], port.min_bits_per_cycle))
    return int(Fraction(quanta * port.min_bits_per_cycle, port.max_bits_per_cycle) * move.counts[way] * instances)
