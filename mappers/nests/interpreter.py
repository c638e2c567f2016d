"""A naive interpreter of loop nests: walks every step and counts every element that moves.

It shares no code with the search or the closed forms, and no idea with them but the rules: sets of indices, one
loop iteration after the other. Only for small problems; `WALK_LIMIT` bounds the work.

Rules (`docs/layer_mapper.md`): a tile is the box of all elements that the loops below its hold touch. A fetch
happens when a loop in time steps that stands at or above the innermost loop, above the hold, over a dimension of
the tensor and with more than one iteration. Each array position has its tiles; a loop along an axis parts a tensor
directly above its first hold that does not serve the axis.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise, product
from math import ceil

from hw_models.hierarchy.tree import MemoryTree
from mappers.nests.mapping import Hold, NestMapping
from mappers.nests.problem import NestProblem, ProblemTensor
from workloads.errors import InputError

WALK_LIMIT = 4_000_000
Iteration = dict[int, int]
Element = tuple[int, ...]


@dataclass
class Walked:
    """What was counted.

    Attributes
    ----------
    elements : dict of (level, role, direction) to int
        Elements moved over all instances.
    finished : dict of the same
        Those of an output that are complete when they move.
    instances : dict of (level, role) to int
        Instances seen.
    steps : int
        Steps in time.
    """

    elements: dict[tuple[str, str, str], int] = field(default_factory=lambda: defaultdict(int))
    finished: dict[tuple[str, str, str], int] = field(default_factory=lambda: defaultdict(int))
    instances: dict[tuple[str, str], set[Element]] = field(default_factory=lambda: defaultdict(set))
    tiles: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    steps: int = 0


class Interpreter:
    """Walks one mapping."""

    def __init__(self, problem: NestProblem, tree: MemoryTree, mapping: NestMapping, counting: str) -> None:
        self.problem, self.tree, self.counting = problem, tree, counting
        self.loops: list[tuple[str, int, int, str | None]] = []
        left = dict(problem.dims)
        self.holds: dict[str, list[tuple[str, int]]] = {tensor.role: [] for tensor in problem.tensors}
        for node in mapping.nodes:
            if isinstance(node, Hold):
                self.holds[node.role].append((node.level, len(self.loops)))
            else:
                self.loops.append((node.dim, left[node.dim], node.tile, node.axis))
                left[node.dim] = node.tile
        self.out = Walked()

    def run(self) -> Walked:
        """Walk the nest and return the counts."""
        timed = [at for at, loop in enumerate(self.loops) if loop[3] is None]
        self.out.steps = len(self._iterations(timed, self._written()))
        for tensor in self.problem.tensors:
            holds = [*self.holds[tensor.role], ("", len(self.loops))]
            for (outer, _), (inner, depth) in pairwise(holds):
                self._transfer(tensor, outer, inner, depth)
        return self.out

    def _written(self) -> list[int]:
        return list(range(len(self.loops)))

    def _trips(self, at: int) -> int:
        _, extent, tile, _ = self.loops[at]
        return ceil(extent / tile)

    def _serves(self, level: str) -> set[str]:
        return set(self.tree.level(level).serves) if level else set()

    def _seen(self, role: str) -> list[int]:
        """Return the loops in the order in which the tensor sees them."""
        places: list[tuple[float, int, int]] = []
        ends = [*self.holds[role], ("", len(self.loops))]
        for at, loop in enumerate(self.loops):
            if loop[3] is None:
                places.append((float(at), 0, at))
            else:
                number = next(k for k, (level, _) in enumerate(ends) if loop[3] not in self._serves(level))
                places.append((ends[number][1] - 0.5, number, at))
        return [at for _, _, at in sorted(places)]

    def _ragged(self, dim: str) -> bool:
        return any(extent % tile for own, extent, tile, _ in self.loops if own == dim)

    def _nested(self, order: list[int]) -> list[int]:
        """Return `order` with the loops of ragged dimensions as written; tensors that depend on one see it so."""
        ragged = {dim for dim in self.problem.sizes if self._ragged(dim)}
        return [at for at in self._written() if self.loops[at][0] in ragged] + [
            at for at in order if self.loops[at][0] not in ragged
        ]

    def _sizes(self, order: list[int]) -> dict[int, tuple[int, int]]:
        """Return (extent, tile) of each loop if the loops of a dimension are nested in `order`."""
        found, left = {}, dict(self.problem.dims)
        for at in order:
            dim, extent, tile, _ = self.loops[at]
            if self._ragged(dim):
                found[at] = (extent, tile)
            else:
                found[at] = (left[dim], left[dim] // self._trips(at))
            left[dim] = found[at][1]
        return found

    def _iterations(self, which: list[int], order: list[int]) -> list[tuple[int, ...]]:
        """Return the iterations of loops `which` that occur; loops left out stand at their first one."""
        sizes = self._sizes(order)
        found: list[tuple[int, ...]] = []
        for combination in product(*(range(self._trips(at)) for at in which)):
            chosen = dict(zip(which, combination, strict=True))
            left, real = dict(self.problem.dims), True
            for at in self._nested(order):
                dim = self.loops[at][0]
                tile = sizes[at][1]
                rest = left[dim] - chosen.get(at, 0) * tile
                real = real and rest > 0
                left[dim] = min(rest, tile)
            if real:
                found.append(combination)
            if len(found) > WALK_LIMIT:
                raise InputError(f"interpreter: more than {WALK_LIMIT} steps; recheck a smaller problem")
        return found

    def _box(self, tensor: ProblemTensor, order: list[int], fixed: Iteration) -> set[Element]:
        """Return the elements of the box that is touched with the loops in `fixed` at their iterations."""
        sizes = self._sizes(order)
        low = dict.fromkeys(self.problem.sizes, 0)
        size = dict(self.problem.dims)
        for at in order:
            dim = self.loops[at][0]
            if at in fixed:
                low[dim] += fixed[at] * sizes[at][1]
                size[dim] = min(sizes[at][1], size[dim] - fixed[at] * sizes[at][1])
        ranges = []
        for axis in tensor.axes:
            first = axis.offset + sum(c * low[dim] for c, dim in axis.terms)
            last = axis.offset + sum(c * (low[dim] + size[dim] - 1) for c, dim in axis.terms)
            if not self.problem.fetch_padding:
                first, last = max(first, 0), min(last, axis.size - 1)
            ranges.append(range(first, last + 1))
        return set(product(*ranges))

    def _transfer(self, tensor: ProblemTensor, outer: str, inner: str, depth: int) -> None:
        order = self._seen(tensor.role)
        served, wide = self._serves(inner), self._serves(outer)
        above = [at for at in order if self.loops[at][3] is None and at < depth]
        apart = [at for at in order if self.loops[at][3] is not None and self.loops[at][3] not in served]
        fan = [at for at in apart if self.loops[at][3] in wide]
        far = [at for at in apart if at not in fan]
        moving = [at for at in above if self.loops[at][0] in tensor.dims and self._trips(at) > 1]
        every_step = not inner and self.counting == "timeloop"
        stepping = above if every_step else [at for at in above if moving and at <= moving[-1]]
        window = moving[-1] if moving and self.counting == "timeloop" and not every_step else None
        chain = [at for at in order if at in stepping or at in apart]
        level = self.tree.level(outer)
        joined = level.reduces if tensor.output else level.casts(tensor.role)
        for combination in self._iterations(chain, order):
            now = dict(zip(chain, combination, strict=True))
            self._event(tensor, (outer, inner), order, now, (stepping, fan, far), (window, joined))

    def _event(
        self,
        tensor: ProblemTensor,
        ends: tuple[str, str],
        order: list[int],
        now: Iteration,
        groups: tuple[list[int], list[int], list[int]],
        rules: tuple[int | None, bool],
    ) -> None:
        (outer, inner), (stepping, fan, far), (window, joined) = ends, groups, rules
        role, count = tensor.role, self.out.elements
        relevant = {at for at in now if self.loops[at][0] in tensor.dims}
        timed = [at for at in stepping if at not in relevant]
        first = all(now[at] == 0 for at in timed)
        last = first  # as many leave for the last time as come for the first
        complete = not any(at not in relevant and self._trips(at) > 1 for at in (far if joined else [*far, *fan]))
        child = self._new(tensor, order, now, {at: now[at] for at in relevant}, window)
        moved = len(child)
        position = tuple(now[at] for at in (*far, *fan))
        self.out.instances[inner, role].add(position)
        self._add(tensor, (inner, outer), moved, (first, last and complete), outer_end=False)
        if joined:
            if any(now[at] for at in fan):
                return
            shared = {at: now[at] for at in relevant if at not in fan}
            moved = len(self._new(tensor, order, now, shared, window))
        self.out.instances[outer, role].add(tuple(now[at] for at in far))
        self._add(tensor, (inner, outer), moved, (first, last and complete), outer_end=True)
        del count

    def _new(
        self, tensor: ProblemTensor, order: list[int], now: Iteration, fixed: Iteration, window: int | None
    ) -> set[Element]:
        """Return what a fetch brings: the box, without what the box before it held if it slides."""
        box = self._box(tensor, order, fixed)
        if window is not None and now[window]:
            box -= self._box(tensor, order, {**fixed, window: fixed[window] - 1})
        return box

    def _add(
        self, tensor: ProblemTensor, ends: tuple[str, str], moved: int, flags: tuple[bool, bool], outer_end: bool
    ) -> None:
        (inner, outer), (first, final) = ends, flags
        role, out = tensor.role, self.out
        if not tensor.output:
            key = (outer, role, "tl") if outer_end else (inner, role, "fh")
            out.elements[key] += moved
            return
        if outer_end:
            out.elements[outer, role, "fl"] += moved
            out.finished[outer, role, "fl"] += moved if final else 0
            out.elements[outer, role, "tl"] += 0 if first else moved
        elif self.counting == "timeloop":
            out.elements[inner, role, "fh"] += moved
        else:
            out.elements[inner, role, "th"] += moved
            out.finished[inner, role, "th"] += moved if final else 0
            out.elements[inner, role, "fh"] += 0 if first else moved


def walked_energy_pj(problem: NestProblem, tree: MemoryTree, walked: Walked) -> Fraction:
    """Return the energy of what was counted, for levels that do not round accesses up."""
    total = problem.macs * tree.multiplier.mac_pj
    for tensor in problem.tensors:
        if tensor.role in (*tree.multiplier.skips, *tree.multiplier.gates):
            total *= tensor.density
    for (name, role, direction), elements in walked.elements.items():
        if not name:
            continue
        level, tensor = tree.level(name), problem.tensor(role)
        done = walked.finished.get((name, role, direction), 0)
        bits = (elements - done) * tensor.stored_bits() + done * tensor.stored_bits(final=True)
        price = level.read_pj if direction in ("tl", "th") else level.write_pj
        total += bits / level.access_bits * price
    return total
