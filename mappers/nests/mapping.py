"""A mapping of the general mapper: one loop nest, and where in it each memory level holds each tensor.

Outermost first. A *loop* runs over the tiles of one dimension, in time or along an array axis. A *hold* stands
between loops: the level holds the tile of the tensor that the loops below it touch. Each tensor is held at its own
depth (an uneven mapping); a level at which a tensor has no hold is bypassed by it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hw_models.hierarchy.tree import MemoryTree
from mappers.nests.problem import NestProblem
from workloads.errors import InputError


@dataclass(frozen=True, slots=True)
class Loop:
    """A loop over tiles of `tile` indices of `dim`; along `axis` of the array if that is named, else in time."""

    dim: str
    tile: int
    axis: str | None = None

    def __post_init__(self) -> None:
        if self.tile < 1:
            raise InputError(f"loop over {self.dim}: tile is {self.tile}, bound is >= 1; raise it")


@dataclass(frozen=True, slots=True)
class Hold:
    """`level` holds the tile of tensor `role` that the loops below touch."""

    level: str
    role: str


@dataclass(frozen=True)
class NestMapping:
    """A loop nest with its holds, outermost first."""

    nodes: tuple[Loop | Hold, ...]

    @property
    def loops(self) -> tuple[Loop, ...]:
        """Value of the loops alone."""
        return tuple(node for node in self.nodes if isinstance(node, Loop))

    def extents(self, problem: NestProblem) -> tuple[int, ...]:
        """Return, for each loop, the extent it divides into tiles: the tile of the next outer loop of its dimension."""
        current = dict(problem.dims)
        found = []
        for loop in self.loops:
            found.append(current[loop.dim])
            current[loop.dim] = loop.tile
        return tuple(found)

    def holds(self, role: str) -> tuple[tuple[str, int], ...]:
        """Return (level, number of loops above) of each hold of `role`, outermost first."""
        return tuple((hold.level, depth) for hold, depth in self._holds() if hold.role == role)

    def _holds(self) -> Iterator[tuple[Hold, int]]:
        depth = 0
        for node in self.nodes:
            if isinstance(node, Loop):
                depth += 1
            else:
                yield node, depth

    def check(self, problem: NestProblem, tree: MemoryTree) -> None:
        """Refuse a mapping that is not one of `problem` on `tree`; capacities and axis rules are not looked at here.

        Raises
        ------
        InputError
            Unknown names; a tile that does not shrink; a dimension not brought down to single indices; holds that are
            missing, doubled or not from the outermost level inwards; a loop above a hold of the outermost level.
        """
        current = dict(problem.dims)
        for loop in self.loops:
            if loop.dim not in current:
                raise InputError(f"mapping: loop over '{loop.dim}', dimensions are {list(current)}; correct it")
            if loop.axis is not None:
                tree.axis(loop.axis)
            if loop.tile > current[loop.dim]:
                raise InputError(
                    f"mapping: loop over {loop.dim} has tile {loop.tile}, bound is {current[loop.dim]} (the tile "
                    "around it); lower it"
                )
            current[loop.dim] = loop.tile
        left = [dim for dim, tile in current.items() if tile > 1]
        if left:
            raise InputError(
                f"mapping: innermost tile of {left[0]} is {current[left[0]]}, bound is 1 (one MAC); add a loop"
            )
        order = {level.name: at for at, level in enumerate(tree.levels)}
        roles = [tensor.role for tensor in problem.tensors]
        for hold, depth in self._holds():
            level = tree.level(hold.level)
            if hold.role not in roles:
                raise InputError(f"mapping: '{hold.level}' holds '{hold.role}', tensors are {roles}; correct it")
            if hold.role not in level.roles:
                raise InputError(
                    f"mapping: '{hold.level}' holds '{hold.role}', the level is for {list(level.roles)}; remove it"
                )
            if level is tree.levels[0] and depth:
                raise InputError(
                    f"mapping: {depth} loops above '{level.name}', bound is 0; hold everything there first"
                )
        for role in roles:
            places = [order[name] for name, _ in self.holds(role)]
            if places != sorted(set(places)):
                raise InputError(
                    f"mapping: '{role}' is held at {[name for name, _ in self.holds(role)]}, bound is each level once, "
                    "outermost first; reorder them"
                )
            for at, level in enumerate(tree.levels):
                if role in level.keep and at not in places:
                    raise InputError(f"mapping: level '{level.name}' must keep '{role}'; add a hold")
