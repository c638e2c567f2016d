"""Second count of what ports cost: stalls under ``zigzag``, and energy where a level moves whole accesses.

Shares no code with the closed forms; tiles and their number come from the walk of `mappers.nests.recheck`. The rules
are those of `docs/layer_mapper.md`.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import ceil, prod

from hw_models.hierarchy.tree import Level, MemoryTree
from mappers.nests.interpreter import Walked
from mappers.nests.problem import NestProblem, ProblemTensor
from mappers.nests.recheck import AxisWalk


@dataclass(frozen=True, slots=True)
class Moved:
    """A transfer: its ends, how often a tile comes, its elements at both ends, steps that leave a new tile unused."""

    tensor: ProblemTensor
    outer: str
    inner: str
    times: int
    outer_tile: int
    inner_tile: int
    idle: int


@dataclass(frozen=True, slots=True)
class _Job:
    """One direction of a transfer on a port."""

    cycles: int
    window: Fraction
    times: int


class PortWalk(AxisWalk):
    """Walks a nest and keeps what its transfers need of ports."""

    def run(self) -> Walked:
        """Return the counts; `moved` holds the transfers afterwards."""
        self.moved: list[Moved] = []
        walked = super().run()
        for tensor in self.problem.tensors:
            for (outer, _), (inner, depth) in pairwise([*self.holds[tensor.role], ("", len(self.loops))]):
                self.moved.append(self._seen_as(tensor, outer, inner, depth))
        return walked

    def _seen_as(self, tensor: ProblemTensor, outer: str, inner: str, depth: int) -> Moved:
        order = self._seen(tensor.role)
        timed = [at for at in order if self.loops[at][3] is None]
        above = [at for at in timed if at < depth]
        steps = [at for at in above if self.loops[at][0] in tensor.dims and self._trips(at) > 1]
        last = steps[-1] if steps else -1
        times = prod(self._repeats(dim, [at for at in above if at <= last and self.loops[at][0] == dim])
                     for dim in self.problem.sizes)  # fmt: skip
        apart = [at for at in order if self.loops[at][3] is not None and self.loops[at][3] not in self._serves(inner)]
        far = [at for at in apart if self.loops[at][3] not in self._serves(outer)]
        idle = 1
        for at in (at for at in self._written() if at > last and self.loops[at][3] is None and self._trips(at) > 1):
            if self.loops[at][0] in tensor.dims:
                break
            idle *= self._trips(at)
        inside = [at for at in order if at in above or at in apart]
        outside = [at for at in order if at in above or at in far]
        sizes = (self._largest(tensor, order, outside), self._largest(tensor, order, inside))
        return Moved(tensor, outer, inner, times, *sizes, idle)


def ported_energy_pj(problem: NestProblem, tree: MemoryTree, moves: list[Moved], walked: Walked) -> Fraction:
    """Return the energy of a walked nest, tiles moved in whole accesses where a level asks for it."""
    total = problem.macs * tree.multiplier.mac_pj
    for tensor in problem.tensors:
        if tensor.role in (*tree.multiplier.skips, *tree.multiplier.gates):
            total *= tensor.density
    for moved in moves:
        for name, way, tile in _directions(moved):
            count = walked.elements.get((name, moved.tensor.role, way), 0)
            if not name or not count:
                continue
            level, done = tree.level(name), walked.finished.get((name, moved.tensor.role, way), 0)
            price = (level.read_pj if way in ("tl", "th") else level.write_pj) / level.access_bits
            for elements, bits in ((count - done, moved.tensor.stored_bits()), (done, moved.tensor.stored_bits(True))):
                total += elements * bits * _whole(level, moved.tensor.role, way, tile * bits) * price
    return total


def _directions(moved: Moved) -> list[tuple[str, str, int]]:
    if not moved.tensor.output:
        return [(moved.outer, "tl", moved.outer_tile), (moved.inner, "fh", moved.inner_tile)]
    return [
        (moved.outer, "fl", moved.outer_tile), (moved.outer, "tl", moved.outer_tile),
        (moved.inner, "fh", moved.inner_tile), (moved.inner, "th", moved.inner_tile),
    ]  # fmt: skip


def _whole(level: Level, role: str, way: str, bits: Fraction) -> Fraction:
    if level.rounded_access and bits:
        for port in level.ports:
            if (role, way) in port.carries:
                return ceil(bits / port.min_bits) * port.min_bits / bits if port.min_bits else Fraction(1)
    return Fraction(1)


def stalled_cycles(problem: NestProblem, tree: MemoryTree, moves: list[Moved], walked: Walked) -> int:
    """Return loop steps, stalls, first loads and last unloads by the rule ``zigzag``, without multipliers and fill."""
    share = prod((t.density for t in problem.tensors if t.role in tree.multiplier.skips), start=Fraction(1))
    steps = ceil(walked.steps * share)
    roomy = _roomy(tree, moves)
    jobs: dict[tuple[str, str], list[_Job]] = {}
    ends: dict[tuple[str, str], int] = {}
    for moved in moves:
        role, every = moved.tensor.role, Fraction(steps, max(1, moved.times))
        window = every if (moved.inner, role) in roomy else every / moved.idle
        for name, way, tile in _directions(moved):
            count = walked.elements.get((name, role, way), 0)
            if not name or not count:
                continue
            whole = walked.elements[name, role, ("fl" if name == moved.outer else "th") if moved.tensor.output else way]
            done = walked.finished.get((name, role, way), 0)
            bits = tile * moved.tensor.stored_bits(final=done == count)
            on = [port for port in tree.level(name).ports if (role, way) in port.carries]
            together = sum((port.max_bits for port in on), start=Fraction(0))
            cycles = ceil(bits / together) if on else 0
            for port in on:
                times = moved.times * count // whole
                jobs.setdefault((name, port.name), []).append(_Job(cycles, window, times))
            if moved.inner and way in (("fl", "th") if moved.tensor.output else ("tl", "fh")):
                ends[moved.inner, role] = max(ends.get((moved.inner, role), 0), cycles)
    return steps + max((ceil(_stall(own, steps)) for own in jobs.values()), default=0) + sum(ends.values())


def _roomy(tree: MemoryTree, moved: list[Moved]) -> set[tuple[str, str]]:
    """Return (level, role) where a second tile fits: in a part of its own, or in what is left, tensors in order."""
    found = set()
    for level in tree.levels[1:]:
        mine = [(m.tensor.role, m.inner_tile * m.tensor.stored_bits()) for m in moved if m.inner == level.name]
        parts = dict(level.parts_bits)
        shared = [bits for role, bits in mine if role not in parts]
        free = None if level.capacity_bits is None else level.capacity_bits - sum(shared, start=Fraction(0))
        for role, bits in mine:
            fits = 2 * bits <= parts[role] if role in parts else free is None or bits <= free
            if fits and role not in parts and free is not None:
                free -= bits
            if fits or level.buffers == 2:
                found.add((level.name, role))
    return found


def _stall(jobs: list[_Job], steps: int) -> Fraction:
    """Return the stall of a port: what comes late, and what does not fit into the time its windows cover together."""
    missing = [(job.cycles - job.window) * (job.times - 1) for job in jobs]
    if len(jobs) == 1:
        return max(Fraction(0), missing[0])
    late = sum((cycles for cycles in missing if cycles > 0), start=Fraction(0))
    asked = sum((job.window * (job.times - 1) for job in jobs), start=Fraction(0))
    spare = -sum((cycles for cycles in missing if cycles < 0), start=Fraction(0))
    covered = min(Fraction(steps), max(job.window * job.times for job in jobs))
    return late + max(Fraction(0), asked - spare - covered)
