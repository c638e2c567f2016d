"""Recheck of a mapped layer by a second, naive count; shares no code with the search or the closed forms.

Small layers are walked step by step (`mappers.nests.interpreter`). Large ones are walked one tensor axis at a time:
the iterations of the loops of that axis alone are listed one by one, and what the axes count is multiplied, as is
the number of times that the other loops repeat a fetch.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise, product
from math import ceil, prod

from hw_models.hierarchy.tree import MemoryTree
from mappers.nests.interpreter import Interpreter, Walked
from mappers.nests.mapping import NestMapping
from mappers.nests.problem import NestProblem, ProblemTensor

WALK_MACS = 5000
"""Layers of up to this many MACs are walked step by step."""


@dataclass(frozen=True, slots=True)
class Rechecked:
    """What the second count found.

    Parameters
    ----------
    energy_pj : Fraction
        Energy from the second count.
    steps : int
        Loop steps in time.
    latency_cycles : int
        By the rule of the counting, stalls and fills included.
    overfull : tuple of str
        Levels and axes that the mapping overfills.
    walked : bool
        Whether every step was walked.
    """

    energy_pj: Fraction
    steps: int
    latency_cycles: int
    overfull: tuple[str, ...]
    walked: bool


class AxisWalk(Interpreter):
    """Counts one tensor axis at a time."""

    def run(self) -> Walked:
        """Return the counts."""
        self.out.steps = prod(
            self._repeats(dim, [x for x in self._of(dim) if self.loops[x][3] is None]) for dim in self.problem.sizes
        )
        for tensor in self.problem.tensors:
            holds = [*self.holds[tensor.role], ("", len(self.loops))]
            for (outer, _), (inner, depth) in pairwise(holds):
                self._transfer(tensor, outer, inner, depth)
        return self.out

    def _of(self, dim: str) -> list[int]:
        return [at for at in self._written() if self.loops[at][0] == dim]

    def _repeats(self, dim: str, counted: list[int]) -> int:
        """Return the combinations of the loops `counted` of one dimension, the rest at their first iteration."""
        rests = [self.problem.sizes[dim]]
        for at in self._of(dim):
            tile, split = self.loops[at][2], []
            for rest in rests:
                if at in counted:
                    split += [min(tile, rest - low) for low in range(0, rest, tile)]
                else:
                    split.append(min(tile, rest))
            rests = split
        return len(rests)

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
        level = self.tree.level(outer)
        joined = level.reduces if tensor.output else level.casts(tensor.role)
        others = [dim for dim in self.problem.sizes if dim not in tensor.dims]

        def count(places: list[int], slide: int | None, again: bool) -> int:
            chain = [at for at in order if at in stepping or at in places]
            repeats = prod(self._repeats(d, [*(stepping if again else []), *places]) for d in others)
            return self._elements(tensor, order, chain, slide) * repeats

        child = count([*far, *fan], window, True)
        parent = count(far, window, True) if joined else child
        first_child, first_parent = count([*far, *fan], None, False), 0
        first_parent = count(far, None, False) if joined else first_child
        whole = not any(
            self.loops[at][0] not in tensor.dims and self._trips(at) > 1 for at in (far if joined else [*far, *fan])
        )
        self._book(tensor, (outer, inner), (parent, child), (first_parent, first_child), whole)
        if inner:
            self.out.tiles[inner, tensor.role] = max(
                1, self._largest(tensor, order, [at for at in order if at in above or at in apart])
            )

    def _book(
        self, tensor: ProblemTensor, ends: tuple[str, str], moved: tuple[int, int], first: tuple[int, int], whole: bool
    ) -> None:
        (outer, inner), role, out = ends, tensor.role, self.out
        if not tensor.output:
            out.elements[outer, role, "tl"] += moved[0]
            out.elements[inner, role, "fh"] += moved[1]
            return
        out.elements[outer, role, "fl"] += moved[0]
        out.finished[outer, role, "fl"] += first[0] if whole else 0
        out.elements[outer, role, "tl"] += moved[0] - first[0]
        if self.counting == "timeloop":
            out.elements[inner, role, "fh"] += moved[1]
            return
        out.elements[inner, role, "th"] += moved[1]
        out.finished[inner, role, "th"] += first[1] if whole else 0
        out.elements[inner, role, "fh"] += moved[1] - first[1]

    def _groups(self, tensor: ProblemTensor) -> list[list[int]]:
        """Return the axes of the tensor in groups that share dimensions."""
        groups: list[list[int]] = []
        for at, axis in enumerate(tensor.axes):
            own = {dim for _, dim in axis.terms}
            near = [g for g in groups if any(own & {d for _, d in tensor.axes[other].terms} for other in g)]
            groups = [g for g in groups if g not in near] + [[*(x for g in near for x in g), at]]
        return groups

    def _elements(self, tensor: ProblemTensor, order: list[int], chain: list[int], slide: int | None) -> int:
        total = 1
        for group in self._groups(tensor):
            dims = list(dict.fromkeys(dim for at in group for _, dim in tensor.axes[at].terms))
            tiles = [self._tiles(dim, order, [at for at in chain if self.loops[at][0] == dim], slide) for dim in dims]
            found = 0
            for combination in product(*tiles):
                now = {dim: (low, size) for dim, (low, size, *_) in zip(dims, combination, strict=True)}
                box = self._lengths(tensor, group, now, now)
                if any(back for _, _, back, _ in combination):
                    old = {dim: (low - back, size) for dim, (low, _, back, size) in zip(dims, combination, strict=True)}
                    box -= self._lengths(tensor, group, now, old)
                found += box
            total *= found
        return total

    def _tiles(
        self, dim: str, order: list[int], chain: list[int], slide: int | None
    ) -> list[tuple[int, int, int, int]]:
        """Return (start, size, distance to the tile before, its size) of every tile of one dimension.

        The distance is 0 where loop `slide` has no iteration before; that one was whole, as it was not its last.
        """
        sizes = self._sizes(order)
        found = [(0, self.problem.sizes[dim], 0, self.problem.sizes[dim])]
        for at in [x for x in order if self.loops[x][0] == dim]:
            tile, split = sizes[at][1], []
            for low, size, back, before in found:
                for start in range(0, size, tile) if at in chain else [0]:
                    if at not in chain:
                        split.append((low, size, back, before))
                    elif at == slide and start:
                        split.append((low + start, min(tile, size - start), tile, tile))
                    else:
                        split.append((low + start, min(tile, size - start), back, min(tile, before - start)))
            found = split
        return found

    def _lengths(
        self, tensor: ProblemTensor, group: list[int], a: dict[str, tuple[int, int]], b: dict[str, tuple[int, int]]
    ) -> int:
        """Return the elements that boxes `a` and `b` have in common along the axes `group`."""
        common = 1
        for at in group:
            axis = tensor.axes[at]
            first = max(axis.offset + sum(c * box[d][0] for c, d in axis.terms) for box in (a, b))
            last = min(axis.offset + sum(c * (box[d][0] + box[d][1] - 1) for c, d in axis.terms) for box in (a, b))
            if not self.problem.fetch_padding:
                first, last = max(first, 0), min(last, axis.size - 1)
            common *= max(0, last - first + 1)
        return common

    def _largest(self, tensor: ProblemTensor, order: list[int], above: list[int]) -> int:
        elements = 1
        for axis in tensor.axes:
            reach = 1
            for coefficient, dim in axis.terms:
                chain = [at for at in above if self.loops[at][0] == dim]
                reach += coefficient * (max(size for _, size, *_ in self._tiles(dim, order, chain, None)) - 1)
            elements *= reach if self.problem.fetch_padding else min(reach, axis.size)
        return elements


def recheck(problem: NestProblem, tree: MemoryTree, mapping: NestMapping, counting: str) -> Rechecked:
    """Return what a naive count of `mapping` finds."""
    from mappers.nests.recheck_ports import PortWalk, ported_energy_pj, stalled_cycles  # it builds on the walk above

    mapping.check(problem, tree)
    wide = PortWalk(problem, tree, mapping, counting)
    walked = wide.run()
    small = problem.macs <= WALK_MACS
    if small:
        stepped = Interpreter(problem, tree, mapping, counting).run()
        stepped.tiles = walked.tiles
        walked = stepped
    extra = tree.multiplier.latency_cycles
    used = {axis.name: 1 for axis in tree.axes}
    for at, loop in enumerate(wide.loops):
        if loop[3] is not None:
            used[loop[3]] *= wide._trips(at)
    extra += sum(used[axis.name] - 1 for axis in tree.axes if axis.systolic)
    skipped = prod((t.density for t in problem.tensors if t.role in tree.multiplier.skips), start=Fraction(1))
    steps = ceil(walked.steps * skipped)
    if counting == "timeloop":
        latency = max(steps, _slowest_port(problem, tree, walked, used))
    else:
        latency = stalled_cycles(problem, tree, wide.moved, walked)
    energy = ported_energy_pj(problem, tree, wide.moved, walked)
    return Rechecked(energy, steps, latency + extra, _overfull(problem, tree, walked, used), small)


def _slowest_port(problem: NestProblem, tree: MemoryTree, walked: Walked, used: dict[str, int]) -> int:
    worst = 0
    for level in tree.levels:
        copies = prod(count for axis, count in used.items() if axis not in level.serves)
        for port in level.ports:
            cycles = Fraction(0)
            for role, way in port.carries:
                together = sum(p.max_bits for p in level.ports if (role, way) in p.carries)
                count = walked.elements.get((level.name, role, way), 0)
                done = walked.finished.get((level.name, role, way), 0)
                if count:
                    tensor = problem.tensor(role)
                    bits = (count - done) * tensor.stored_bits() + done * tensor.stored_bits(final=True)
                    cycles += bits / copies / together
            worst = max(worst, ceil(cycles))
    return worst


def _overfull(problem: NestProblem, tree: MemoryTree, walked: Walked, used: dict[str, int]) -> tuple[str, ...]:
    found = [axis.name for axis in tree.axes if used[axis.name] > axis.size]
    for level in tree.levels[1:]:
        own, together = dict(level.parts_bits), 0
        for tensor in problem.tensors:
            if (level.name, tensor.role) not in walked.tiles:
                continue
            bits = walked.tiles[level.name, tensor.role] * tensor.stored_bits() * level.buffers
            if tensor.role in own:
                found += [f"{level.name}.{tensor.role}"] if bits > own[tensor.role] else []
            elif level.banks > 1 and level.capacity_bits is not None:
                bank = level.capacity_bits // level.banks
                together += ceil(bits / bank) * bank
            else:
                together += ceil(bits)
        if level.capacity_bits is not None and together > level.capacity_bits:
            found.append(level.name)
    return tuple(found)
