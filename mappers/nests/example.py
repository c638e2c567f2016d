"""The worked case of the documentation: a one-dimensional convolution on two levels, outputs stationary."""

from __future__ import annotations

from hw_models.hierarchy.tree import Level, MemoryTree
from mappers.nests.mapping import Hold, Loop, NestMapping
from mappers.nests.problem import problem_of_einsum
from mappers.nests.views import Nest


def worked_case() -> Nest:
    """Return the mapping of ``O[p] = I[p+r] W[r]``, P = 16, R = 3: one output at a time in the buffer."""
    roles = ("I", "W", "O")
    tree = MemoryTree("two_levels", (), (Level("DRAM", (), roles), Level("Buffer", (), roles)))
    nodes: list[Hold | Loop] = [Hold("DRAM", role) for role in roles]
    nodes += [Loop("p", 1), *(Hold("Buffer", role) for role in roles), Loop("r", 1)]
    return Nest(problem_of_einsum("O[p]=I[p+r]*W[r]", {"p": 16, "r": 3}), tree, NestMapping(tuple(nodes)))
