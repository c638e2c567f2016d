"""Closed-form counts equal a naive walk of the nest, and both equal the walk along single axes."""

from __future__ import annotations

import random

from mappers.nests.cost import evaluate
from mappers.nests.counts import Counting, accesses
from mappers.nests.interpreter import Interpreter, Walked, walked_energy_pj
from mappers.nests.recheck import AxisWalk
from mappers.nests.views import Nest
from tests.reference.nest_cases import random_nest, random_problem, random_tree
from tests.reference.profile import examples
from workloads.errors import InputError

RAGGED_OVERLAPS = (1253, 2862)
"""Windows that slide onto a ragged tile, behind a loop of another dimension and across PEs of unequal shares."""
NAMES = ("reads", "fills", "updates", "drains")
WAYS = {"reads": "tl", "fills": "fh", "updates": "fl", "drains": "th"}


def _counted(walked: Walked) -> dict[tuple[str, str, str], int]:
    return {key: count for key, count in walked.elements.items() if count and key[0]}


def test_counts_equal_a_naive_walk() -> None:
    compared = ragged = refused = 0
    for seed in (*range(examples(220)), *RAGGED_OVERLAPS):
        draw = random.Random(seed)
        problem, tree = random_problem(draw), random_tree(draw)
        mapping = random_nest(draw, problem, tree, ragged=draw.random() < 0.5)
        counting: Counting = draw.choice(("timeloop", "zigzag"))
        try:
            nest = Nest(problem, tree, mapping)
            table = accesses(nest, counting)
        except InputError:  # ragged tiles whose loops a tensor sees in another order
            refused += 1
            continue
        walked = Interpreter(problem, tree, mapping, counting).run()
        closed = {
            (level, role, WAYS[name]): getattr(row, name)
            for (level, role), row in table.items()
            for name in NAMES
            if getattr(row, name)
        }
        assert _counted(walked) == closed, seed
        assert walked.steps == nest.steps(), seed
        along = AxisWalk(problem, tree, mapping, counting).run()
        assert _counted(along) == closed and along.steps == walked.steps, seed
        if not any(level.rounded_access for level in tree.levels):
            assert evaluate(nest, counting).energy_pj == walked_energy_pj(problem, tree, walked), seed
        compared, ragged = compared + 1, ragged + bool(nest.ragged)
    assert compared > 150 and ragged > 20 and refused < 60
