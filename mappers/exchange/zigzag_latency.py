"""ZigZag's latency: stalls of shared ports, and what is loaded before and stored after the loops.

A transfer has a period, an amount per period and a window in which it may happen: the whole period where the memory
holds two tiles, else the period over the irrelevant loops at its top. A port that several transfers share stalls by the
sum of what is late, plus what the windows claim beyond their union.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from hw_models.importers.zigzag_hardware import Direction, ZigZagHardware, ZigZagMemory, ZigZagPort
from workloads.errors import InternalError
from workloads.importers.records import ForeignProblem


@dataclass(frozen=True)
class Movement:
    """What one memory level moves for one operand.

    Parameters
    ----------
    amounts : mapping of direction to (elements, cycles)
        Per period, and the period.
    bits, counts : mapping of direction to int
        Width of an element, number of periods.
    rates : mapping of {"down", "up"} to int
        Mean bits per cycle towards the level below and above.
    idle : (int, int)
        Irrelevant loops at the top of the level below and of this level.
    first_bits, tile_bits : int
        Bits of a tile of the operand's innermost memory, and of this one.
    grown : int
        Loops at the top of this level that index the operand alone: that much of the tile is new at a time.
    """

    operand: str
    memory: ZigZagMemory
    amounts: dict[Direction, tuple[int, int]]
    bits: dict[Direction, int]
    counts: dict[Direction, int]
    rates: dict[str, int]
    idle: tuple[int, int]
    first_bits: int
    tile_bits: int
    grown: int

    def port(self, way: Direction) -> ZigZagPort | None:
        """Return the port of a direction."""
        return self.memory.port_of(self.operand, way)

    def real_cycles(self, way: Direction) -> int:
        """Return the cycles one period's transfer takes on its port."""
        port = self.port(way)
        return 0 if port is None else -(-self.amounts[way][0] * self.bits[way] // port.max_bits_per_cycle)


_Place = tuple[str, int]
"""Role and level."""


def latency(
    hardware: ZigZagHardware, layer: ForeignProblem, links: Mapping[str, str], moves: Mapping[str, list[Movement]],
    fine: Mapping[str, list[Movement]], steps: int,
) -> tuple[float, float, float]:  # fmt: skip
    """Return (stall, on-loading, off-loading) in cycles.

    Parameters
    ----------
    moves : mapping of role to levels
        With whole shares.
    fine : mapping of role to levels
        With broken shares, which decide what fits twice.
    """
    order = [layer.output.name, *(tensor.name for tensor in layer.inputs)]
    double = _double_buffered(order, moves, fine)
    role_of = {operand: role for role, operand in links.items()}
    ports = [(memory, port) for memory in hardware.memories for port in memory.ports]
    stall = 0.0
    served: dict[tuple[str, str], list[tuple[str, int, Direction]]] = {}
    for memory, port in ports:
        jobs: list[tuple[str, int, Direction]] = []
        for operand in memory.operands:
            role, at = role_of[operand], hardware.levels(operand).index(memory)
            ways = [way for other in memory.ports for op, way in other.allocation if op == operand]
            jobs += [(role, at, way) for way in dict.fromkeys(ways) if memory.port_of(operand, way) is port]
        served[memory.name, port.name] = jobs
        stall = max(stall, stall_of([_job(moves[role][at], way, double[role], at) for role, at, way in jobs]))
    load: dict[tuple[str, int, Direction], tuple[float, bool]] = {}
    for memory, port in ports:
        load.update(_ends(port, served[memory.name, port.name], moves, layer.output.name, steps + stall))
    inputs = [tensor.name for tensor in layer.inputs]
    onload = onloading(inputs, {role: len(moves[role]) for role in inputs}, load)
    out = layer.output.name
    pairs = range(len(moves[out]) - 1)
    offload = sum(max(load[out, at, "th"][0], load[out, at + 1, "fl"][0]) for at in pairs)
    return stall, onload, offload


def _double_buffered(
    order: list[str], moves: Mapping[str, list[Movement]], fine: Mapping[str, list[Movement]]
) -> dict[str, list[bool]]:
    """Return per role and level whether the memory has room for the next tile while it works on one."""
    own: dict[_Place, float] = {}
    for role in order:
        for at, move in enumerate(fine[role]):
            own[role, at] = (move.tile_bits // move.grown) / move.memory.size_bits
    mates: dict[_Place, list[_Place]] = {}
    for role, at in own:
        memory = moves[role][at].memory
        mates[role, at] = [(other, level) for other, level in own if moves[other][level].memory is memory]
    taken = {place: sum(own[mate] for mate in mates[place]) for place in own}
    found: dict[str, list[bool]] = {}
    for role in order:
        found[role] = [False]
        for at in range(len(moves[role])):
            fits = taken[role, at] <= 0.5 or own[role, at] <= 1 - taken[role, at]
            if fits and taken[role, at] > 0.5 and len(mates[role, at]) > 1:
                for mate in mates[role, at]:
                    taken[mate] += own[role, at]
            found[role].append(fits)
    return found


def _job(move: Movement, way: Direction, double: list[bool], at: int) -> tuple[int, int, int, int]:
    """Return (cycles needed, cycles allowed, period, periods) of one transfer."""
    _, period = move.amounts[way]
    side = 1 if way in ("th", "fh") else 0
    allowed = period if double[at + side] else period // move.idle[side]
    return move.real_cycles(way), allowed, period, move.counts[way]


def stall_of(jobs: Sequence[tuple[int, int, int, int]]) -> float:
    """Return the stall of one port from (cycles needed, cycles allowed, period, periods) of each transfer on it."""
    active = [job for job in jobs if job[3]]
    late = [(real - allowed) * (count - 1) for real, allowed, _, count in active]
    if len(active) <= 1:
        return max(late, default=0)
    claimed = sum(allowed * (count - 1) for _, allowed, _, count in active)
    slack = sum(value for value in late if value <= 0)
    return sum(value for value in late if value > 0) + max(0, slack + claimed - open_cycles(active))


def open_cycles(jobs: Sequence[tuple[int, int, int, int]]) -> int:
    """Return in how many cycles of the run the window of some transfer is open.

    Raises
    ------
    InternalError
        If the periods do not nest in each other.
    """
    longest, times = 0, 0
    for _, allowed, period, count in jobs:
        if allowed == period:
            return period * count
        if period > longest:
            longest, times = period, count
    windows = sorted((period, allowed) for _, allowed, period, _ in jobs)
    if any(outer % inner for (inner, _), (outer, _) in pairwise(windows)):
        raise InternalError(f"periods {[period for period, _ in windows]} of one port do not nest in each other")
    return (longest - _closed(windows, len(windows), longest)) * times


def _closed(windows: Sequence[tuple[int, int]], number: int, cycles: int) -> int:
    """Return in how many of the first `cycles` none of the first `number` windows is open; periods nest."""
    if number == 0:
        return cycles
    period, allowed = windows[number - 1]
    whole, rest = divmod(cycles, period)
    shut = _closed(windows, number - 1, allowed)
    found = whole * (_closed(windows, number - 1, period) - shut) if whole else 0
    if rest > allowed:
        found += _closed(windows, number - 1, rest) - shut
    return found


def _ends(
    port: ZigZagPort, jobs: list[tuple[str, int, Direction]], moves: Mapping[str, list[Movement]], output: str,
    run: float,
) -> dict[tuple[str, int, Direction], tuple[float, bool]]:  # fmt: skip
    """Return the cycles of each transfer of a port before or after the loops, and whether both inputs share the port.

    What is moved once only may use what the loops leave of the port's width.
    """
    real = [job for job in jobs if not (job[0] == output and job[2] in ("tl", "fh"))]
    once = [job for job in real if moves[job[0]][job[1]].counts[job[2]] == 1]
    often = [job for job in real if moves[job[0]][job[1]].counts[job[2]] > 1]
    shared = len({role for role, _, _ in jobs if role != output}) > 1
    rate = sum(moves[role][at].rates["up" if way in ("th", "fh") else "down"] for role, at, way in often)
    width = port.max_bits_per_cycle
    spare = max(0.0, (width - rate) / width * run)
    cycles = {job: float(moves[job[0]][job[1]].real_cycles(job[2])) for job in real}
    least = {job: -(-moves[job[0]][job[1]].first_bits // width) for job in once}
    if spare > 0:
        for job in sorted(once, key=lambda job: -cycles[job]):
            saved = min(max(0.0, cycles[job] - least[job]), spare)
            cycles[job] -= saved
            spare -= saved
            if spare <= 0:
                break
    return {job: (cycles[job], shared) for job in (*once, *often)}


def onloading(
    inputs: Sequence[str], levels: Mapping[str, int], load: Mapping[tuple[str, int, Direction], tuple[float, bool]]
) -> float:
    """Return the cycles to bring the first tiles in: shared ports one operand after the other, others side by side."""
    apart, half, joint = dict.fromkeys(inputs, 0.0), dict.fromkeys(inputs, 0.0), dict.fromkeys(inputs, 0.0)
    for role in inputs:
        for at in range(levels[role] - 1):
            (low, low_shared), (high, high_shared) = load[role, at, "fh"], load[role, at + 1, "tl"]
            cycles = max(low, high)
            if low_shared and high_shared:
                joint[role] += cycles
            elif low_shared or high_shared:
                half[role] = cycles
            else:
                apart[role] += cycles
    if len(inputs) == 1:
        return apart[inputs[0]]
    a, b = inputs
    alone = {role: half[role] + apart[role] for role in inputs}
    return min(joint[a] + max(joint[b] + alone[b], alone[a]), joint[b] + max(joint[a] + alone[a], alone[b]))
