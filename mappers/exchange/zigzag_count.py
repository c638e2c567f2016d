"""ZigZag's accesses, energy and latency of a mapping, to the last access and cycle.

The rules are those of zigzag-dse 3.9.1, read from what it computes and held against its own results in
`tests/validation/test_zigzag_counts.py`. They are kept apart from the mapper's cost model, so that a plan can be judged
by the peer's rules without the peer. Where a layer's sizes are no multiples of the unrolling, energy is counted with
broken shares and latency with their whole part, as ZigZag does.

Source: L. Mei et al., ZigZag, IEEE Transactions on Computers 2021, and A. Symons et al., LOMA, AICAS 2021.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, prod

from hw_models.importers.zigzag_hardware import DIRECTIONS, Direction, ZigZagHardware
from mappers.exchange.zigzag_latency import Movement, latency
from mappers.exchange.zigzag_loops import (
    OperandLoops,
    Temporal,
    Unrolling,
    operand_loops,
    operand_space,
    shares,
)
from workloads.errors import InputError
from workloads.importers.records import ForeignProblem, ForeignTensor


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


class ZigZagModel:
    """ZigZag's counting of one layer on one machine under one unrolling.

    Parameters
    ----------
    unrolling : mapping of axis to (dimension, factor) pairs
        Factors on the array.
    links : mapping of role to memory operand
        Such as ``{"I": "I1", "W": "I2", "O": "O"}``.
    """

    def __init__(
        self, hardware: ZigZagHardware, layer: ForeignProblem, unrolling: Unrolling, links: Mapping[str, str]
    ) -> None:
        self.hardware, self.layer, self.links = hardware, layer, dict(links)
        self.unrolling = {axis: tuple(pairs) for axis, pairs in unrolling.items()}
        self.tensors = (layer.output, *layer.inputs)
        exact, whole = shares(layer, unrolling, True), shares(layer, unrolling, False)
        self.fine = {t.name: operand_space(hardware, layer, links[t.name], t, exact) for t in self.tensors}
        same = exact == whole
        self.coarse = self.fine if same else {
            t.name: operand_space(hardware, layer, links[t.name], t, whole) for t in self.tensors
        }  # fmt: skip
        self.mac_energy_pj = hardware.mac_energy_pj * layer.macs
        self.drain = sum(
            max(0, prod(min(factor, layer.size(dim)) for dim, factor in unrolling[axis] if dim in dict(layer.dims)) - 1)
            for axis in hardware.systolic_axes
            if axis in unrolling
        )
        self.steps = {
            dim: ceil(size / prod((x for loops in exact.values() for d, x in loops if d == dim), start=Fraction(1)))
            for dim, size in layer.dims
        }
        self._known: dict[tuple[str, object], _Role] = {}

    def count(self, temporal: Temporal) -> ZigZagCount:
        """Return ZigZag's figures for loops in time.

        Parameters
        ----------
        temporal : mapping of role to levels of (dimension, factor)
            Loops in time of each memory of the role, innermost first.

        Raises
        ------
        InputError
            If the loops of a role are not the steps that the unrolling leaves, or a transfer has no port.
        """
        roles = {tensor.name: self._role(tensor.name, temporal[tensor.name]) for tensor in self.tensors}
        steps = roles[self.layer.output.name].steps
        ends = latency(
            self.hardware,
            self.layer,
            self.links,
            {name: role.coarse for name, role in roles.items()},
            {name: role.fine for name, role in roles.items()},
            steps,
        )
        accesses = {name: role.accesses for name, role in roles.items()}
        energy = sum(role.energy_pj for role in roles.values()) + self.mac_energy_pj
        return ZigZagCount(accesses, energy, self.mac_energy_pj, steps, *ends, self.drain)

    def _role(self, name: str, levels: Sequence[Sequence[tuple[str, int]]]) -> _Role:
        """Return what one role makes of its loops; roles do not look at each other here."""
        key = (name, tuple(tuple(map(tuple, level)) for level in levels))
        if key not in self._known:
            self._check_steps(name, levels)
            loops = operand_loops(self.fine[name], levels)
            fine = movements(loops)
            coarse = fine
            if self.coarse is not self.fine:
                coarse = movements(operand_loops(self.coarse[name], levels))
            found, energy = [], 0.0
            for at, move in enumerate(fine):
                ways = {way: _accesses(move, way, loops.space.instances[at + 1]) for way in DIRECTIONS}
                memory = move.memory
                energy += (ways["tl"] + ways["th"]) * memory.read_energy_pj + (
                    ways["fh"] + ways["fl"]
                ) * memory.write_energy_pj
                found.append(ways)
            self._known[key] = _Role(fine, coarse, tuple(found), energy, loops.cycles[-1], loops.tiles)
        return self._known[key]

    def _check_steps(self, role: str, levels: Sequence[Sequence[tuple[str, int]]]) -> None:
        """Refuse loops in time that are not the steps that the unrolling leaves of each dimension."""
        given = dict.fromkeys(self.steps, 1)
        for level in levels:
            for dim, factor in level:
                given[dim] = given.get(dim, 1) * factor
        for dim, factor in given.items():
            if factor != self.steps.get(dim):
                raise InputError(
                    f"mapping: {role} has {factor} steps of {dim}, bound is {self.steps.get(dim)} (size "
                    f"{self.layer.size(dim)} over what is unrolled); correct the loops"
                )

    def whole(self, name: str, at: int) -> int:
        """Return the elements in one instance of memory `at` of a role if all loops in time are inside.

        A memory that is buffered twice holds one copy of what it is never to replace.
        """
        space = self.fine[name]
        return round(space.reach([*self.steps.items(), *(loop for part in space.spatial[: at + 1] for loop in part)]))

    def fits(self, temporal: Temporal) -> bool:
        """Tell whether every memory holds its tiles, partial sums at their width, as ZigZag's allocation asks."""
        taken: dict[str, int] = {}
        for name, levels in temporal.items():
            space = self.fine[name]
            tiles = self._role(name, levels).tiles
            left = False
            for at in reversed(range(len(levels))):
                left = left or any(dim in space.irrelevant for dim, _ in levels[at])
                apart = any(
                    dim in space.irrelevant for part in space.spatial[at + 1 :] for dim, size in part if size > 1
                )
                width = _bits_of(space.tensor, (left or apart) and space.tensor.output)
                twice = 2 if space.memories[at].double_buffered and tiles[at + 1] < self.whole(name, at) else 1
                memory = space.memories[at].name
                taken[memory] = taken.get(memory, 0) + tiles[at + 1] * width * twice
        return all(taken.get(memory.name, 0) <= memory.size_bits for memory in self.hardware.memories)


@dataclass(frozen=True)
class _Role:
    fine: list[Movement]
    coarse: list[Movement]
    accesses: tuple[dict[Direction, int], ...]
    energy_pj: float
    steps: int
    tiles: tuple[int, ...]


def count(
    hardware: ZigZagHardware, layer: ForeignProblem, unrolling: Unrolling, temporal: Temporal,
    links: Mapping[str, str],
) -> ZigZagCount:  # fmt: skip
    """Return ZigZag's figures of one mapping; see `ZigZagModel`."""
    return ZigZagModel(hardware, layer, unrolling, links).count(temporal)


def movements(loops: OperandLoops) -> list[Movement]:
    """Return what each level moves, innermost first; the outermost moves nothing upward."""
    space, tiles = loops.space, loops.tiles
    tensor, levels = space.tensor, len(space.memories)
    total = loops.cycles[levels]
    periods = [_first_period(loops), *loops.cycles[1:]]
    partial = [tensor.output and left for left in loops.uses_left[1:]]
    held = [_bits(loops, flag) for flag in partial]
    found = []
    for at in range(levels):
        top = at == levels - 1
        down = (tiles[at] * space.boosts[at], periods[at])
        up = (0, 0) if top else (tiles[at + 1], periods[at + 1])
        amounts: dict[Direction, tuple[int, int]] = dict.fromkeys(DIRECTIONS, (0, 0))
        bits: dict[Direction, int] = dict.fromkeys(DIRECTIONS, 0)
        if tensor.output:
            amounts |= {"fl": down, "th": up}
            amounts |= {"tl": down if partial[at] else (0, 0), "fh": up if partial[at + 1] else (0, 0)}
            bits |= {"fl": held[at], "tl": held[at] if partial[at] else 0}
            bits |= {"th": held[at + 1], "fh": held[at + 1] if partial[at + 1] else 0}
        else:
            amounts |= {"tl": down, "fh": up}
            bits |= {"tl": held[at], "fh": held[at]}
        rates = {
            "down": tiles[at] * held[at] * space.boosts[at] // periods[at],
            "up": 0 if top else tiles[at + 1] * held[at + 1] // periods[at + 1],
        }
        idle = (loops.top(at, space.irrelevant), loops.top(at + 1, space.irrelevant))
        counts = {way: total // period if period else 0 for way, (_, period) in amounts.items()}
        sizes = (tiles[1] * held[1], tiles[at + 1] * held[at + 1], loops.top(at + 1, space.plain))
        found.append(Movement(space.operand, space.memories[at], amounts, bits, counts, rates, idle, *sizes))
    return found


def _first_period(loops: OperandLoops) -> int:
    """Return the steps for which a multiplier keeps its word of an input: irrelevant loops at the very bottom."""
    steps = 1
    for dim, size in () if loops.space.tensor.output else loops.temporal[0]:
        if dim not in loops.space.irrelevant:
            break
        steps *= size
    return steps


def _bits(loops: OperandLoops, partial: bool) -> int:
    return _bits_of(loops.space.tensor, partial)


def _bits_of(tensor: ForeignTensor, partial: bool) -> int:
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
    quanta = -(-amount * move.bits[way] // port.min_bits_per_cycle)
    return quanta * port.min_bits_per_cycle * move.counts[way] * instances // port.max_bits_per_cycle
