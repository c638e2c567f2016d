"""The order in which tensors move inwards: states are the current holder of each tensor."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product

from hw_models.hierarchy.tree import Level, MemoryTree
from mappers.nests.counts import Counting
from mappers.nests.problem import NestProblem, ProblemTensor
from workloads.errors import InputError

State = tuple[int, ...]
"""Position of each tensor in its chain of holders."""


@dataclass(frozen=True, slots=True)
class Step:
    """Tensor number `tensor` moves from holder `start` to `end` of its chain, bypassing those between."""

    tensor: int
    start: int
    end: int


class HoldGraph:
    """Chains of holders and the steps between states.

    Attributes
    ----------
    chains : tuple of tuple of Level or None
        Per tensor, outermost first; None, the multipliers, at the end where they keep a word.
    """

    def __init__(self, problem: NestProblem, tree: MemoryTree, counting: Counting) -> None:
        self.problem, self.tree, self.latched = problem, tree, counting == "zigzag"
        self.tensors: tuple[ProblemTensor, ...] = problem.tensors
        chains: list[tuple[Level | None, ...]] = []
        for tensor in self.tensors:
            if tensor.role not in tree.roles:
                raise InputError(
                    f"hierarchy '{tree.name}': no level holds '{tensor.role}', roles are {list(tree.roles)}; add it "
                    "to keep or may_keep"
                )
            chain = tuple(level for level in tree.levels if tensor.role in level.roles)
            chains.append((*chain, None) if self.latched else chain)
        self.chains = tuple(chains)

    def must(self, tensor: int, at: int) -> bool:
        level = self.chains[tensor][at]
        return level is None or self.tensors[tensor].role in level.keep

    @cached_property
    def start(self) -> State:
        """Value of the state in which the outermost level holds everything."""
        return (0,) * len(self.tensors)

    def steps(self, state: State) -> list[Step]:
        """Return the steps from `state`."""
        found = []
        for tensor, at in enumerate(state):
            for end in range(at + 1, len(self.chains[tensor])):
                found.append(Step(tensor, at, end))
                if self.must(tensor, end):
                    break
        return found

    def after(self, state: State, step: Step) -> State:
        """Return the state after `step`."""
        return (*state[: step.tensor], step.end, *state[step.tensor + 1 :])

    def final(self, state: State) -> bool:
        """Tell whether no tensor has to move further in."""
        return all(
            not self.must(tensor, later)
            for tensor, at in enumerate(state)
            for later in range(at + 1, len(self.chains[tensor]))
        )

    @cached_property
    def states(self) -> tuple[State, ...]:
        """Value of all states, inner ones first."""
        everything = product(*(range(len(chain)) for chain in self.chains))
        return tuple(sorted(everything, key=lambda state: (-sum(state), state)))

    def surely_held(self, state: State, level: Level) -> list[int]:
        """Return the tensors that `level` holds in `state` whatever was bypassed before."""
        found = []
        for tensor, at in enumerate(state):
            chain = self.chains[tensor]
            if level in chain:
                place = chain.index(level)
                if at == place or (at > place and self.must(tensor, place)):
                    found.append(tensor)
        return found

    def sequences(self) -> int:
        """Return the number of orders of holds with every choice of bypasses, by number of holds."""
        return sum(self.sequences_by_holds().values())

    def sequences_by_holds(self) -> dict[int, int]:
        """Return the number of hold orders with that many holds below the outermost level."""
        ways: dict[State, dict[int, int]] = {}
        for state in self.states:
            found = {0: 1} if self.final(state) else {}
            for step in self.steps(state):
                for holds, count in ways[self.after(state, step)].items():
                    found[holds + 1] = found.get(holds + 1, 0) + count
            ways[state] = found
        return ways[self.start]
