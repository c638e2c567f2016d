"""A bound of the energy over all unrollings at once.

Only the levels around each multiplier (those that serve no axis) are looked at in full: what enters them depends on
their own tiles and not on the unrolling. What leaves the levels outside is taken as if a word read there reached as
many of them as the array has positions, and every element crosses the outermost level once.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from hw_models.hierarchy.tree import Level
from mappers.nests.boxes import distinct_elements
from mappers.nests.graph import HoldGraph, State
from mappers.nests.lattice import FloatArray, Lattice
from mappers.nests.problem import NestProblem, ProblemTensor
from mappers.nests.spatial import Unrolling
from mappers.nests.tables import GridSums, Move, MoveTables
from workloads.loop_nest import Axis

MOST_INDICES = 1 << 20


@dataclass(frozen=True, slots=True)
class _Outside:
    """Cheapest energy per bit of words read from and written to levels outside, and the least words."""

    read: float
    write: float
    volume: float


def relaxed_energy_pj(graph: HoldGraph, sums: GridSums) -> float:
    """Return a lower bound of the energy of the memories over every unrolling, in pJ."""
    problem, tree = graph.problem, graph.tree
    total = 0.0
    for tensor in graph.tensors:
        total += _compulsory(tensor, tree.levels[0], sums)
    single = Unrolling(tuple(() for _ in tree.axes))
    fan = prod(axis.size for axis in tree.axes)
    tables = MoveTables(problem, tree, single, "zigzag" if graph.latched else "timeloop", sums, fan)
    inner = [level for level in tree.levels[1:] if not level.serves]
    if (
        not tree.axes
        or not inner
        or (not graph.latched and not all(_covered(graph, t, inner) for t in range(len(graph.tensors))))
    ):
        return total
    return total + _around_multipliers(graph, tables, inner)


def _covered(graph: HoldGraph, tensor: int, inner: list[Level]) -> bool:
    """Tell whether some level around the multipliers must hold `tensor`."""
    return any(graph.tensors[tensor].role in level.keep for level in inner)


def _compulsory(tensor: ProblemTensor, top: Level, sums: GridSums) -> float:
    """Return the energy of moving every element once over the outermost level."""
    price = top.write_pj if tensor.output else top.read_pj
    bits = float(tensor.stored_bits(final=True)) if tensor.output else float(tensor.stored_bits())
    if tensor.output:
        bits = min(bits, float(tensor.stored_bits()))
    return _volume(tensor, sums) * bits * float(price / top.access_bits)


def _volume(tensor: ProblemTensor, sums: GridSums) -> float:
    """Return the distinct elements that some MAC needs: gaps between strided elements need not be moved."""
    return float(prod(_distinct(axes, dims, sums.problem) for axes, dims in sums.parts[tensor.role]))


def _distinct(axes: tuple[Axis, ...], dims: tuple[str, ...], problem: NestProblem) -> int:
    if len(dims) == 1 or prod(problem.sizes[dim] for dim in dims) > MOST_INDICES:
        return _along_one(axes, max(dims, key=lambda dim: problem.sizes[dim]), problem)
    return distinct_elements(axes, {dim: problem.sizes[dim] for dim in dims}, problem.fetch_padding)


def _along_one(axes: tuple[Axis, ...], dim: str, problem: NestProblem) -> int:
    """Return the elements inside the tensor that are needed as `dim` runs and every other dimension stays at 0."""
    low, high = 0, problem.sizes[dim] - 1
    for axis in axes if not problem.fetch_padding else ():
        step = sum(coefficient for coefficient, own in axis.terms if own == dim)
        if step:
            low, high = max(low, -(axis.offset // step)), min(high, (axis.size - 1 - axis.offset) // step)
        elif not 0 <= axis.offset < axis.size:
            return 0
    return max(0, high - low + 1)


def _around_multipliers(graph: HoldGraph, tables: MoveTables, inner: list[Level]) -> float:
    lattice = tables.lattice
    fan = float(prod(axis.size for axis in graph.tree.axes))
    moves: dict[tuple[int, int, int], FloatArray] = {}
    for number, tensor in enumerate(graph.tensors):
        chain = graph.chains[number]
        volume = _volume(tensor, graph_sums(tables))
        for end, child in enumerate(chain):
            if child is not None and child not in inner:
                continue
            for start, parent in enumerate(chain[:end]):
                if parent is None:
                    continue
                if parent in inner:
                    moves[number, start, end] = _cheapest(tables, tensor, parent, child)
                elif (number, -1, end) not in moves:
                    outside = [level for level in chain[:end] if level is not None and level not in inner]
                    moves[number, -1, end] = _entering(tables, tensor, outside, child, volume, fan)
    return _least(graph, lattice, moves, inner, tables)


def graph_sums(tables: MoveTables) -> GridSums:
    """Return the remembered grid sums of `tables`."""
    return tables.sums


def _entering(
    tables: MoveTables, tensor: ProblemTensor, outside: list[Level], child: Level | None, volume: float, fan: float
) -> FloatArray:
    """Return the least energy of bringing tiles into `child` from any level outside."""
    others = [dim for dim in tables.lattice.sizes if dim not in tensor.dims]
    visits: FloatArray = np.ones([1] * len(tables.lattice.shape))
    for dim in others:
        visits = visits * (tables.time[dim] / tables.lattice.values[dim])
    again = volume * np.maximum(visits / fan - 1, 0.0)
    bits = float(min(tensor.stored_bits(), tensor.stored_bits(final=True)))
    read = min(float(level.read_pj / level.access_bits) for level in outside)
    write = min(float(level.write_pj / level.access_bits) for level in outside)
    energy = again * bits * ((read + write) if tensor.output else read)
    if child is not None:
        return energy + _cheapest(tables, tensor, _free(outside[-1]), child)
    move: Move = tables.move(tensor, outside[-1], child)
    return np.where(move.fits, energy, np.inf)


def _cheapest(tables: MoveTables, tensor: ProblemTensor, parent: Level, child: Level | None) -> FloatArray:
    """Return the energy of a move where it fits, along the best window if it may slide; infinite elsewhere.

    Positions of an array slide by at least one tile of their own, so that none finds more of its next tile in place
    than the single position that is looked at here.
    """
    move = tables.move(tensor, parent, child)
    energy = move.energy_pj
    if child is not None:
        for dim in tables.sliding_dims(tensor):
            for trips in tables.windows(dim):
                energy = np.minimum(energy, tables.slide(tensor, parent, child, parent, dim, trips).energy_pj)
    return np.where(move.fits, energy, np.inf)


def _free(level: Level) -> Level:
    """Return `level` with accesses that cost nothing, so that only the child's energy is left."""
    from dataclasses import replace

    return replace(level, read_pj=level.read_pj * 0, write_pj=level.write_pj * 0)


def _least(
    graph: HoldGraph,
    lattice: Lattice,
    moves: dict[tuple[int, int, int], FloatArray],
    inner: list[Level],
    tables: MoveTables,
) -> float:
    """Return the running minimum over the holders around the multipliers; -1 stands for every holder outside."""
    places = [
        [-1, *(at for at, level in enumerate(chain) if level is None or level in inner)] for chain in graph.chains
    ]
    states: list[State] = [()]
    for options in places:
        states = [(*state, at) for state in states for at in options]
    states.sort(key=lambda state: -sum(options.index(at) for options, at in zip(places, state, strict=True)))
    found: dict[State, FloatArray] = {}
    for state in states:
        best = np.full(lattice.shape, np.inf)
        done = True
        for number, at in enumerate(state):
            chain = graph.chains[number]
            for end in places[number][places[number].index(at) + 1 :]:
                level = chain[end]
                must = level is None or graph.tensors[number].role in level.keep
                after = (*state[:number], end, *state[number + 1 :])
                best = np.minimum(best, found[after] + moves[number, at, end])
                if must:
                    done = False
                    break
        best = lattice.inside(best)
        if done:
            finish = 0.0
            if not graph.latched:
                for number, at in enumerate(state):
                    level = graph.chains[number][at]
                    if at >= 0 and level is not None:
                        finish += float(tables.every_step(graph.tensors[number], level).energy_pj)
            best = np.minimum(best, finish)
        found[state] = best
    return float(found[(-1,) * len(graph.chains)][lattice.top])
