"""Campaigns over random small problems: the nest search against every nest, counts against a walk, better machines.

Each function takes how many cases to look at and returns totals, so that a quick test and a long run are one code
(`benchmarks/nest_campaign.py` prints the totals of a long one).
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import count, islice

from hw_models.hierarchy.tree import Level, MemoryTree
from mappers.nests.cost import violation
from mappers.nests.counts import COUNTINGS, Counting, accesses
from mappers.nests.interpreter import Interpreter
from mappers.nests.objective import Objective
from mappers.nests.search import FoundNest, search_nest
from mappers.nests.views import Nest
from tests.reference.exhaustive_nests import exhaustive, nests
from tests.reference.nest_cases import random_nest, random_problem, random_tree
from workloads.errors import Infeasible, InputError

TOLERANCE = 1e-9
WAYS = {"reads": "tl", "fills": "fh", "updates": "fl", "drains": "th"}


@dataclass
class Totals:
    """What was compared.

    Parameters
    ----------
    wrong : list of str
        Cases that differ; empty if all is well.
    """

    compared: int = 0
    nests: int = 0
    impossible: int = 0
    accepted_infeasible: int = 0
    unproven: int = 0
    hierarchies: int = 0
    refused: int = 0
    ragged: int = 0
    better: int = 0
    wrong: list[str] = field(default_factory=list)


def optima(number: int, most: int, first_seed: int = 0) -> Totals:
    """Compare `number` problems with the list of all their nests, those that have up to `most` of them."""
    total, shapes = Totals(), set()
    for seed in count(first_seed):
        if total.compared == number:
            break
        draw = random.Random(seed)
        problem, tree = random_problem(draw, (1, 1, 1, 2, 2, 3)), random_tree(draw, roomy=seed % 3 > 0)
        counting: Counting = draw.choice(COUNTINGS)
        if sum(1 for _ in islice(nests(problem, tree), most + 1)) > most:
            continue
        reference = exhaustive(problem, tree, counting)
        assert reference is not None
        total.compared, total.nests = total.compared + 1, total.nests + reference[1]
        shapes.add(tuple((level.keep, level.may_keep, level.serves) for level in tree.levels))
        for metric, least in reference[0].items():
            found = search_nest(problem, tree, Objective((metric,)), counting)  # type: ignore[arg-type]
            if isinstance(found, Infeasible):
                total.impossible += 1
                if least != float("inf"):
                    total.wrong.append(f"seed {seed}, {metric}: {found}, but {least} is possible")
                continue
            total.accepted_infeasible += violation(Nest(problem, tree, found.mapping)) is not None
            total.unproven += not found.certificate.proven_optimal
            if abs(found.certificate.value - least) > TOLERANCE * least:
                total.wrong.append(f"seed {seed}, {metric}: {found.certificate.value}, every nest gives {least}")
    total.hierarchies = len(shapes)
    return total


def counts(number: int, first_seed: int = 0) -> Totals:
    """Compare the access counts of `number` random nests, half of them ragged, with the naive walk."""
    total = Totals()
    for seed in count(first_seed):
        if total.compared == number:
            break
        draw = random.Random(seed)
        problem, tree = random_problem(draw), random_tree(draw)
        mapping = random_nest(draw, problem, tree, ragged=draw.random() < 0.5)
        counting: Counting = draw.choice(COUNTINGS)
        try:
            nest = Nest(problem, tree, mapping)
            table = accesses(nest, counting)
        except InputError:  # ragged tiles whose loops a tensor sees in another order
            total.refused += 1
            continue
        walked = Interpreter(problem, tree, mapping, counting).run()
        closed = {
            (level, role, way): elements
            for (level, role), row in table.items()
            for name, way in WAYS.items()
            if (elements := getattr(row, name))
        }
        if {key: n for key, n in walked.elements.items() if n and key[0]} != closed or walked.steps != nest.steps():
            total.wrong.append(f"seed {seed}, {counting}")
        total.compared, total.ragged = total.compared + 1, total.ragged + bool(nest.ragged)
    return total


def wider_port(draw: random.Random, tree: MemoryTree, bound_by: str) -> MemoryTree | None:
    """Return `tree` with one port wider: the one that sets the latency if one does."""
    places = [(level.name, port.name) for level in tree.levels for port in level.ports]
    if not places:
        return None
    name, port_name = bound_by.split(".") if "." in bound_by else draw.choice(places)
    factor = Fraction(draw.choice((3, 4, 6, 16)), 2)

    def changed(level: Level) -> Level:
        ports = (replace(p, max_bits=p.max_bits * factor) if p.name == port_name else p for p in level.ports)
        return replace(level, ports=tuple(ports)) if level.name == name else level

    return replace(tree, levels=tuple(changed(level) for level in tree.levels))


def more_room(draw: random.Random, tree: MemoryTree, bound_by: str) -> MemoryTree | None:
    """Return `tree` with more bits in one level: shared ones by whole banks, or those of one tensor."""
    del bound_by
    limited = [level for level in tree.levels if level.capacity_bits is not None or level.parts_bits]
    if not limited:
        return None
    chosen = draw.choice(limited)
    extra = chosen.banks * draw.choice((8, 64, 256, 1000))
    room = None if chosen.capacity_bits is None else chosen.capacity_bits + extra
    parts = tuple((role, bits + extra) for role, bits in chosen.parts_bits)
    wider = replace(chosen, capacity_bits=room, parts_bits=parts)
    return replace(tree, levels=tuple(wider if level is chosen else level for level in tree.levels))


def more_positions(draw: random.Random, tree: MemoryTree, bound_by: str) -> MemoryTree | None:
    """Return `tree` with more positions on one axis whose fill is not counted."""
    del bound_by
    free = [axis for axis in tree.axes if not axis.systolic]
    if not free:
        return None
    chosen = draw.choice(free)
    wider = replace(chosen, size=chosen.size + draw.randint(1, 6))
    return replace(tree, axes=tuple(wider if axis is chosen else axis for axis in tree.axes))


CHANGES = {"bandwidth": wider_port, "capacity": more_room, "positions": more_positions}


def monotone(number: int, change: str, first_seed: int = 2009) -> Totals:
    """Compare the optima of `number` random machines with those of the same with more of one thing.

    Under ``timeloop`` any objective; under ``zigzag`` energy alone, as larger first tiles take longer to load.
    """
    total = Totals()
    for seed in count(first_seed):
        if total.compared == number:
            break
        draw = random.Random(seed)
        problem, tree = random_problem(draw, (1, 2, 3, 4)), random_tree(draw, axes=draw.choice((1, 1, 2)))
        counting: Counting = draw.choice(("timeloop", "timeloop", "zigzag"))
        metric = "energy" if counting == "zigzag" else draw.choice(("energy", "latency", "latency", "edp"))
        objective = Objective((metric,))  # type: ignore[arg-type]
        before = search_nest(problem, tree, objective, counting)
        bound_by = before.cost.bound_by if isinstance(before, FoundNest) else ""
        other = CHANGES[change](draw, tree, bound_by)
        if other is None:
            continue
        after = search_nest(problem, other, objective, counting)
        was = float("inf") if isinstance(before, Infeasible) else before.certificate.value
        now = float("inf") if isinstance(after, Infeasible) else after.certificate.value
        total.compared += 1
        total.better += now < was * (1 - TOLERANCE)
        total.impossible += now == float("inf")
        if now > was * (1 + TOLERANCE):
            total.wrong.append(f"seed {seed}, {change}, {metric}: {was} became {now}")
    return total
