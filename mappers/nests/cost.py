"""Energy, latency and room of a mapping, from its counted flows; exact rationals.

Latency under ``timeloop``: the larger of the loop steps and the busy time of every port; transfers are buffered
twice and never wait for each other. Under ``zigzag``: steps, plus the stall of the worst port, plus loading the
first tiles, plus unloading the last ones, plus the fill of systolic axes. A transfer may use the whole period of
its tile where the level has room for a second copy, else only the period over the loops that leave the tile in
place; a port adds the stalls of its transfers and what does not fit into the time that their windows cover
together. First tiles are loaded one after the other: an upper bound of ZigZag's own figure, which overlaps what
does not share a port.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, prod

from hw_models.hierarchy.tree import Direction, Level, MemoryTree
from mappers.nests.counts import Counting, Flow, flows
from mappers.nests.mapping import NestMapping
from mappers.nests.problem import NestProblem, ProblemTensor
from mappers.nests.views import Nest
from workloads.errors import Infeasible


@dataclass(frozen=True, slots=True)
class Link:
    """One direction of a flow at one level.

    Parameters
    ----------
    bits : Fraction
        Bits moved by all instances over the run, rounding of accesses included.
    tile_bits : Fraction
        Bits of one whole tile at one instance.
    fetches : int
        Tiles moved by one instance.
    copies : int
        Instances used.
    """

    level: str
    role: str
    direction: Direction
    bits: Fraction
    tile_bits: Fraction
    fetches: int
    copies: int


@dataclass(frozen=True)
class NestCost:
    """What a mapping costs.

    Parameters
    ----------
    energy_pj : Fraction
        Memories and MACs.
    latency_cycles, steps : int
        Latency by the rule, and the loop steps alone.
    parts_pj : tuple of (name, Fraction)
        Energy by level, and ``mac``.
    bound_by : str
        What sets the latency: ``steps``, or level and port.
    """

    energy_pj: Fraction
    latency_cycles: int
    steps: int
    parts_pj: tuple[tuple[str, Fraction], ...]
    bound_by: str

    @property
    def edp(self) -> Fraction:
        """Value of energy times latency, in pJ x cycles."""
        return self.energy_pj * self.latency_cycles


def links(nest: Nest, flow: Flow, counting: Counting) -> Iterator[Link]:
    """Return the traffic of one flow at its parent and its child."""
    tensor = nest.problem.tensor(flow.role)
    part = tensor.stored_bits()
    last = tensor.stored_bits(final=flow.finished)
    ends: list[tuple[str, Direction, int, int, int, int]]
    if not flow.output:
        ends = [
            (flow.parent, "tl", flow.parent_elements, 0, flow.parent_tile, flow.parent_copies),
            (flow.child, "fh", flow.child_elements, 0, flow.child_tile, flow.child_copies),
        ]
    else:
        parent_back, child_back = flow.parent_elements - flow.parent_first, flow.child_elements - flow.child_first
        ends = [
            (flow.parent, "fl", parent_back, flow.parent_first, flow.parent_tile, flow.parent_copies),
            (flow.parent, "tl", parent_back, 0, flow.parent_tile, flow.parent_copies),
        ]
        if counting == "timeloop":
            ends.append((flow.child, "fh", flow.child_elements, 0, flow.child_tile, flow.child_copies))
        else:
            ends.append((flow.child, "fh", child_back, 0, flow.child_tile, flow.child_copies))
            ends.append((flow.child, "th", child_back, flow.child_first, flow.child_tile, flow.child_copies))
    for name, direction, partial, final, tile, copies in ends:
        if name and partial + final:
            level = nest.tree.level(name)
            widest = last if final and not partial else part
            bits = _rounded(level, flow.role, direction, tile * part) * partial * part
            bits += _rounded(level, flow.role, direction, tile * last) * final * last
            whole = flow.parent_elements if name == flow.parent else flow.child_elements
            fetches = flow.fetches * (partial + final) // whole if whole else 0
            yield Link(name, flow.role, direction, bits, tile * widest, fetches, copies)


def _rounded(level: Level, role: str, direction: Direction, tile_bits: Fraction) -> Fraction:
    """Return how much more is moved because a tile is moved in whole accesses."""
    if not level.rounded_access or not tile_bits:
        return Fraction(1)
    least = next((port.min_bits for port in level.ports if (role, direction) in port.carries), None)
    if least is None:
        return Fraction(1)
    return ceil(tile_bits / least) * least / tile_bits


def evaluate(nest: Nest, counting: Counting) -> NestCost:
    """Return the cost of `nest`; whether it fits is `violation`'s business."""
    problem, tree = nest.problem, nest.tree
    moved = flows(nest, counting)
    traffic = [link for flow in moved for link in links(nest, flow, counting)]
    parts: dict[str, Fraction] = {level.name: Fraction(0) for level in tree.levels}
    for link in traffic:
        level = tree.level(link.level)
        price = level.read_pj if link.direction in ("tl", "th") else level.write_pj
        parts[link.level] += link.bits / level.access_bits * price
    core = tree.multiplier
    parts["mac"] = problem.macs * core.mac_pj * thinned(problem, (*core.skips, *core.gates))
    steps = ceil(nest.steps() * thinned(problem, core.skips))
    extra = core.latency_cycles + sum(nest.used(axis.name) - 1 for axis in tree.axes if axis.systolic)
    if counting == "timeloop":
        latency, bound_by = _buffered(tree, traffic, steps)
    else:
        latency, bound_by = _stalled(nest, moved, traffic, steps)
    return NestCost(sum(parts.values(), Fraction(0)), latency + extra, steps, tuple(parts.items()), bound_by)


def thinned(problem: NestProblem, roles: tuple[str, ...]) -> Fraction:
    """Return the share of MACs that remains where zeros of `roles` are left out."""
    return prod((tensor.density for tensor in problem.tensors if tensor.role in roles), start=Fraction(1))


def shares(tree: MemoryTree, link: Link) -> list[tuple[tuple[str, str], Fraction]]:
    """Return ((level, port), share of the transfer) of a link; a transfer on several ports is spread by width."""
    level = tree.level(link.level)
    on = [port for port in level.ports if (link.role, link.direction) in port.carries]
    width = sum((port.max_bits for port in on), Fraction(0))
    return [((level.name, port.name), port.max_bits / width) for port in on]


def _buffered(tree: MemoryTree, traffic: list[Link], steps: int) -> tuple[int, str]:
    busy: dict[tuple[str, str], Fraction] = {}
    for link in traffic:
        for place, share in shares(tree, link):
            busy[place] = busy.get(place, Fraction(0)) + link.bits * share / link.copies
    worst, bound_by = steps, "steps"
    for (name, port), bits in busy.items():
        width = next(p.max_bits for p in tree.level(name).ports if p.name == port)
        cycles = ceil(bits / width)
        if cycles > worst:
            worst, bound_by = cycles, f"{name}.{port}"
    return worst, bound_by


def _stalled(nest: Nest, moved: tuple[Flow, ...], traffic: list[Link], steps: int) -> tuple[int, str]:
    tree, twice = nest.tree, buffered_twice(nest, moved)
    flow_of = {(flow.role, flow.parent): flow for flow in moved} | {(flow.role, flow.child, 0): flow for flow in moved}
    ports: dict[tuple[str, str], list[tuple[int, Fraction, int]]] = {}
    ends = 0
    loads: dict[tuple[str, str], int] = {}
    for link in traffic:
        inward = link.direction in ("tl", "fl")
        flow = flow_of[(link.role, link.level)] if inward else flow_of[(link.role, link.level, 0)]
        period = Fraction(steps, max(flow.fetches, 1))  # broken where zeros are skipped or tiles are ragged
        window = period if (flow.child, flow.role) in twice else period / flow.idle_steps
        cycles = 0
        for place, share in shares(tree, link):
            width = next(p.max_bits for p in tree.level(place[0]).ports if p.name == place[1])
            cycles = ceil(link.tile_bits * share / width)
            ports.setdefault(place, []).append((cycles, window, link.fetches))
        first = link.direction in (("fl", "th") if flow.output else ("tl", "fh"))
        if flow.child and first:
            loads[flow.role, flow.child] = max(loads.get((flow.role, flow.child), 0), cycles)
    ends = sum(loads.values())
    worst, bound_by = 0, "steps"
    for (name, port), jobs in ports.items():
        stall = ceil(_stall(jobs, steps))
        if stall > worst:
            worst, bound_by = stall, f"{name}.{port}"
    return steps + worst + ends, bound_by


def _stall(jobs: list[tuple[int, Fraction, int]], steps: int) -> Fraction:
    """Return the stall of one port from (cycles, window, fetches) of each transfer on it."""
    slack = [(cycles - window) * (fetches - 1) for cycles, window, fetches in jobs]
    if len(jobs) == 1:
        return max(Fraction(0), slack[0])
    late = sum((value for value in slack if value > 0), start=Fraction(0))
    windows = [window * (fetches - 1) for _, window, fetches in jobs]
    covered = min(Fraction(steps), max(window * fetches for _, window, fetches in jobs))
    waiting = sum((value for value in slack if value < 0), start=Fraction(0)) + sum(windows) - covered
    return late + max(Fraction(0), waiting)


def hold_bits(nest: Nest, moved: tuple[Flow, ...]) -> dict[tuple[str, str], Fraction]:
    """Return the bits of each tensor's tile at each level below the outermost, one copy."""
    held = {}
    for flow in moved:
        if flow.child:
            held[flow.child, flow.role] = flow.child_tile * nest.problem.tensor(flow.role).stored_bits()
    return held


def buffered_twice(nest: Nest, moved: tuple[Flow, ...]) -> set[tuple[str, str]]:
    """Return the (level, role) of which the level has room for a second tile, in the problem's order of tensors."""
    held = hold_bits(nest, moved)
    found = set()
    for level in nest.tree.levels[1:]:
        own = dict(level.parts_bits)
        mine = {role: bits for (name, role), bits in held.items() if name == level.name}
        left = None
        if level.capacity_bits is not None:
            left = level.capacity_bits - sum(bits for role, bits in mine.items() if role not in own)
        for role, bits in mine.items():
            if role in own:
                fits = 2 * bits <= own[role]
            else:
                fits = left is None or bits <= left
                if left is not None and fits:
                    left -= bits
            if fits or level.buffers == 2:
                found.add((level.name, role))
    return found


def taken_bits(level: Level, role: str, tile_bits: Fraction) -> Fraction:
    """Return the bits of `level` that a tile takes: all copies, whole banks where tensors share the capacity."""
    bits = tile_bits * level.buffers
    if level.banks > 1 and role not in dict(level.parts_bits) and level.capacity_bits is not None:
        bank = level.capacity_bits // level.banks
        return Fraction(ceil(bits / bank) * bank)
    return bits


def violation(nest: Nest) -> Infeasible | None:
    """Return the first rule of the machine that the mapping breaks: capacity of a level, use of an axis."""
    moved = flows(nest, "zigzag")  # tiles are the same under both rules
    held = hold_bits(nest, moved)
    for level in nest.tree.levels[1:]:
        own, shared = dict(level.parts_bits), Fraction(0)
        for (name, role), bits in held.items():
            if name != level.name:
                continue
            taken = taken_bits(level, role, bits)
            if role in own:
                if taken > own[role]:
                    return _too_big(nest, level, f"capacity[{level.name}.{role}]", taken, own[role])
            else:
                shared += taken
        if level.capacity_bits is not None and shared > level.capacity_bits:
            return _too_big(nest, level, f"capacity[{level.name}]", shared, level.capacity_bits)
    return axis_violation(nest.problem, nest.tree, nest.mapping)


def _too_big(nest: Nest, level: Level, constraint: str, demand: Fraction, bound: int) -> Infeasible:
    levers = (f"raise the capacity of '{level.name}' to {ceil(demand)} bits", f"hold smaller tiles in '{level.name}'")
    return Infeasible(f"mapping on '{nest.tree.name}'", constraint, ceil(demand), bound, "bits", levers)


def axis_violation(problem: NestProblem, tree: MemoryTree, mapping: NestMapping) -> Infeasible | None:
    """Return the first axis rule that the mapping breaks."""
    extents = mapping.extents(problem)
    for axis in tree.axes:
        subject, factors = f"axis '{axis.name}' of '{tree.name}'", dict.fromkeys(problem.sizes, 1)
        for loop, extent in zip(mapping.loops, extents, strict=True):
            if loop.axis == axis.name:
                factors[loop.dim] *= -(-extent // loop.tile)
        used = prod(factors.values())
        if used > axis.size:
            return Infeasible(subject, "positions", used, axis.size, "positions", ("unroll less", "widen the axis"))
        unrolled = [dim for dim, factor in factors.items() if factor > 1]
        for dim in unrolled:
            if not axis.allows(dim):
                levers = (f"allow {dim} on the axis",)
                return Infeasible(subject, f"unrolling of {dim}", factors[dim], 1, "positions", levers)
        if axis.max_dims is not None and len(unrolled) > axis.max_dims:
            return Infeasible(subject, "dimensions", len(unrolled), axis.max_dims, "dimensions", ("raise max_dims",))
    return None


def tile_bits(tensor: ProblemTensor, elements: int) -> Fraction:
    """Return the bits of `elements` of a tensor as held in a level."""
    return elements * tensor.stored_bits()
