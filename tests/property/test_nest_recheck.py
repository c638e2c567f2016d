"""The second count agrees with the cost of random nests: stalls under ``zigzag``, and accesses that are rounded up."""

from __future__ import annotations

import random

from mappers.nests.cost import evaluate
from mappers.nests.counts import COUNTINGS
from mappers.nests.recheck_ports import PortWalk, ported_energy_pj, stalled_cycles
from mappers.nests.views import Nest
from tests.reference.nest_cases import random_nest, random_problem, random_tree, sparse
from tests.reference.profile import examples
from workloads.errors import InputError


def test_stalls_and_rounded_accesses_are_counted_twice() -> None:
    compared = stalled = rounded = 0
    for seed in (*range(examples(150)), 1432):  # the last: a window that slides onto a ragged tile behind another loop
        draw = random.Random(seed)
        problem, tree = random_problem(draw), random_tree(draw)
        if seed % 3 == 0:
            problem, tree = sparse(draw, problem, tree)
        mapping = random_nest(draw, problem, tree, ragged=seed % 4 == 0)
        try:
            nest = Nest(problem, tree, mapping)
            cost = evaluate(nest, "zigzag")
        except InputError:  # ragged tiles whose loops a tensor sees in another order
            continue
        extra = tree.multiplier.latency_cycles + sum(nest.used(axis.name) - 1 for axis in tree.axes if axis.systolic)
        for counting in COUNTINGS:
            walk = PortWalk(problem, tree, mapping, counting)
            walked = walk.run()
            assert ported_energy_pj(problem, tree, walk.moved, walked) == evaluate(nest, counting).energy_pj, seed
        assert counting == "zigzag"
        assert stalled_cycles(problem, tree, walk.moved, walked) + extra == cost.latency_cycles, seed
        compared, stalled = compared + 1, stalled + (cost.bound_by != "steps")
        rounded += any(level.rounded_access for level in tree.levels)
    assert compared > 90 and stalled > 20 and rounded > 15
