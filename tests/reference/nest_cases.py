"""Random small problems, hierarchies and nests for the general layer mapper."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction

from hw_models.hierarchy.tree import ArrayAxis, Level, MemoryTree, Multiplier, Port
from mappers.nests.mapping import Hold, Loop, NestMapping
from mappers.nests.problem import NestProblem, ProblemTensor
from workloads.loop_nest import Axis

ROLES = ("I", "W", "O")


def random_problem(draw: random.Random, sizes: tuple[int, ...] = (1, 2, 2, 3, 4, 6)) -> NestProblem:
    """Return a convolution (strided, dilated, padded, grouped), a matrix product, or a strange sum of indices."""
    kind = draw.choice(("conv", "conv", "conv2", "depthwise", "matmul", "strange"))
    fetch = draw.random() < 0.3
    pick = {dim: draw.choice(sizes) for dim in "GKCYXFH"}
    stride, dilation, pad = draw.choice((1, 1, 2, 3)), draw.choice((1, 1, 2)), draw.choice((0, 0, 1, 2))

    def plain(*dims: str) -> tuple[Axis, ...]:
        return tuple(Axis(((1, dim),), pick[dim]) for dim in dims)

    def window(out: str, tap: str) -> Axis:
        reach = stride * (pick[out] - 1) + dilation * (pick[tap] - 1) + 1
        return Axis(((stride, out), (dilation, tap)), max(1, reach - pad - draw.choice((0, pad))), -pad)

    if kind == "conv":
        i, w, o = (*plain("C"), window("X", "F")), plain("K", "C", "F"), plain("K", "X")
    elif kind == "conv2":
        i, w, o = (window("Y", "H"), window("X", "F")), plain("K", "H", "F"), plain("K", "Y", "X")
    elif kind == "depthwise":
        i, w, o = (*plain("G"), window("X", "F")), plain("G", "F"), plain("G", "X")
    elif kind == "matmul":
        i, w, o = plain("X", "C"), plain("C", "K"), plain("X", "K")
    else:  # a diagonal and a dimension that two axes of a tensor share
        i = (
            Axis(((1, "X"), (1, "F")), pick["X"] + pick["F"] - 1),
            Axis(((1, "F"), (2, "C")), pick["F"] + 2 * pick["C"]),
        )
        w, o = plain("K", "F", "C"), plain("K", "X")
    used = dict.fromkeys(dim for axes in (i, w, o) for axis in axes for _, dim in axis.terms)
    bits = draw.choice((4, 8, 16))
    return NestProblem(
        tuple((dim, pick[dim]) for dim in used),
        (
            ProblemTensor("I", i, bits=8),
            ProblemTensor("W", w, bits=bits),
            ProblemTensor("O", o, True, draw.choice((16, 24)), 8),
        ),
        fetch,
    )


def random_tree(draw: random.Random, roomy: bool = False, axes: int | None = None) -> MemoryTree:
    """Return a hierarchy of two to four levels around an array of up to two axes."""
    count = draw.choice((0, 1, 1, 2)) if axes is None else axes
    grid = tuple(
        ArrayAxis(f"x{at}", draw.choice((2, 3, 4, 6)), None, (), draw.choice((None, None, 1)), 1, draw.random() < 0.2)
        for at in range(count)
    )
    names = tuple(axis.name for axis in grid)
    levels = [_level(draw, "L0", names, ROLES, (), None)]
    served = {role: set(names) for role in ROLES}
    for at in range(1, draw.choice((2, 3, 3, 4))):
        keep = tuple(role for role in ROLES if draw.random() < 0.5)
        may = tuple(role for role in ROLES if role not in keep and draw.random() < 0.6)
        if not keep and not may:
            keep = ("O",)
        left = set(names)
        for role in (*keep, *may):
            left &= served[role]
        serves = tuple(name for name in names if name in left and draw.random() < 0.5)
        for role in (*keep, *may):
            served[role] = set(serves)
        capacity = None if roomy or draw.random() < 0.2 else draw.choice((48, 96, 200, 500, 1500))
        levels.append(_level(draw, f"L{at}", serves, keep, may, capacity))
    core = Multiplier(Fraction(draw.choice((0, 1, 2))), draw.choice((0, 0, 3)))
    return MemoryTree("random", grid, tuple(levels), core, Fraction(draw.choice((0, 7))))


def _level(
    draw: random.Random,
    name: str,
    serves: tuple[str, ...],
    keep: tuple[str, ...],
    may: tuple[str, ...],
    capacity: int | None,
) -> Level:
    roles = (*keep, *may)
    parts = ()
    if capacity is not None and draw.random() < 0.4:
        parts = tuple((role, draw.choice((24, 64, 200, 800))) for role in roles if draw.random() < 0.7)
    ports = []
    if draw.random() < 0.7:
        inward = tuple((role, way) for role in roles for way in (("tl", "th") if role == "O" else ("tl",)))
        outward = tuple((role, way) for role in roles for way in (("fh", "fl") if role == "O" else ("fh",)))
        if draw.random() < 0.5:
            ports = [Port("rw", Fraction(draw.choice((4, 8, 32))), (*inward, *outward), Fraction(4))]
        else:
            ports = [
                Port("r", Fraction(draw.choice((4, 8, 16))), inward, Fraction(1)),
                Port("w", Fraction(draw.choice((8, 16))), outward, Fraction(8)),
            ]
    banks = 4 if capacity is not None and capacity % 4 == 0 and draw.random() < 0.2 else 1
    return Level(
        name,
        serves,
        keep,
        may,
        capacity,
        parts,
        tuple(ports),
        Fraction(draw.choice((1, 3, 20, 100)), 10),
        Fraction(draw.choice((1, 3, 20, 100)), 10),
        draw.choice((1, 8, 16)),
        bool(ports) and draw.random() < 0.3,
        draw.choice((1, 1, 2)),
        banks,
        draw.choice((None, None, ("I",), ())),
        draw.random() < 0.8,
    )


def random_nest(draw: random.Random, problem: NestProblem, tree: MemoryTree, ragged: bool) -> NestMapping:
    """Return a nest that is well formed; it need not fit."""
    loops: list[Loop] = []
    left = dict(problem.dims)
    room = {axis.name: axis.size for axis in tree.axes}
    while any(size > 1 for size in left.values()):
        dim = draw.choice([d for d, size in left.items() if size > 1])
        tiles = [t for t in range(1, left[dim] + 1) if ragged or left[dim] % t == 0]
        tile = draw.choice(tiles)
        axis = draw.choice([None, None, *room]) if room else None
        if axis is not None:
            trips = -(-left[dim] // tile)
            if trips > room[axis]:
                axis = None
            else:
                room[axis] //= trips
        if tile == left[dim] and draw.random() < 0.7:
            continue
        loops.append(Loop(dim, tile, axis))
        left[dim] = tile
    holds: list[tuple[int, int, Hold]] = [(0, at, Hold("L0", role)) for at, role in enumerate(ROLES)]
    for role in ROLES:
        inner = [
            level for level in tree.levels[1:] if role in level.keep or (role in level.roles and draw.random() < 0.6)
        ]
        places = sorted(draw.randint(0, len(loops)) for _ in inner)
        holds += [
            (place, 3 + at, Hold(level.name, role)) for at, (place, level) in enumerate(zip(places, inner, strict=True))
        ]
    nodes: list[Loop | Hold] = []
    for depth in range(len(loops) + 1):
        here = [(at, hold) for place, at, hold in holds if place == depth]
        nodes += [hold for _, hold in sorted(here, key=lambda item: item[0])]
        nodes += loops[depth : depth + 1]
    return NestMapping(tuple(nodes))


def eight_trees() -> tuple[MemoryTree, ...]:
    """Return hierarchies that differ in kind: shared, partitioned, bypass, one and two axes, crossing buses."""
    seeds = random.Random(20)
    found: list[MemoryTree] = []
    while len(found) < 12:
        tree = random_tree(seeds)
        if not any(_alike(tree, other) for other in found):
            found.append(tree)
    return tuple(found)


def _alike(a: MemoryTree, b: MemoryTree) -> bool:
    def shape(tree: MemoryTree) -> object:
        return [(level.keep, level.may_keep, level.serves) for level in tree.levels]

    return shape(a) == shape(b)


FORMS = (
    (Fraction(1), Fraction(0)),
    (Fraction(1, 2), Fraction(2)),
    (Fraction(1, 4), Fraction(2)),
    (Fraction(3, 7), Fraction(1)),
)
"""Density and index bits: dense, 2:4, 1:4, a bitmap."""


def sparse(draw: random.Random, problem: NestProblem, tree: MemoryTree) -> tuple[NestProblem, MemoryTree]:
    """Return the same with sparse inputs, whose zeros are skipped, gated or multiplied."""
    tensors = []
    for tensor in problem.tensors:
        density, index = draw.choice(FORMS)
        tensors.append(tensor if tensor.output else replace(tensor, density=density, index_bits=index))
    skips = draw.choice(((), ("W",), ("I",), ("I", "W")))
    gates = tuple(role for role in ("I", "W") if role not in skips and draw.random() < 0.5)
    return replace(problem, tensors=tuple(tensors)), replace(
        tree, multiplier=replace(tree.multiplier, skips=skips, gates=gates)
    )
