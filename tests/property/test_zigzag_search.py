"""The search under ZigZag's own figures: its tables, its bounds and its plans against the reference counting."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from itertools import combinations_with_replacement, pairwise, permutations, product
from math import prod
from pathlib import Path

import pytest

from hw_models.importers.source import open_cursor
from hw_models.importers.zigzag_hardware import ZigZagHardware, read_hardware
from mappers.exchange.zigzag_count import ZigZagModel
from mappers.exchange.zigzag_latency import open_cycles
from mappers.nests.lattice import factorised
from mappers.zigzag_search.descent import descend, neighbours, plain
from mappers.zigzag_search.figures import Counter, Plan
from mappers.zigzag_search.search import OBJECTIVES, Effort, Levels, Task, ZigZagPlan, search_plan
from mappers.zigzag_search.tables import CutTables
from mappers.zigzag_search.unrollings import left_of, unrollings
from tests.reference.profile import examples
from workloads.errors import Infeasible, InputError
from workloads.importers.records import ForeignProblem, ForeignTensor
from workloads.importers.zigzag_layers import read_layers
from workloads.loop_nest import Axis

FILES = Path(__file__).resolve().parents[1] / "data" / "peers"
MACHINES = ("zigzag_systolic", "zigzag_three_axes", "zigzag_private")
LINKS = {"I": "I1", "W": "I2", "O": "O"}


@cache
def machine(name: str) -> ZigZagHardware:
    return read_hardware(open_cursor(FILES / f"{name}.yaml"))


def random_layer(draw: random.Random, sizes: tuple[int, ...]) -> ForeignProblem:
    """Return a small convolution with strides, dilations, padding and groups."""
    pick = {dim: draw.choice(sizes) for dim in ("B", "K", "C", "G", "OX", "OY", "FX", "FY")}
    for dim in draw.sample(sorted(pick), 5):
        pick[dim] = 1
    stride, dilation, pad = draw.choice((1, 1, 2)), draw.choice((1, 1, 2)), draw.choice((0, 0, 1))

    def simple(*dims: str) -> tuple[Axis, ...]:
        return tuple(Axis(((1, dim),), pick[dim]) for dim in dims)

    def window(letter: str) -> Axis:
        reach = stride * (pick[f"O{letter}"] - 1) + dilation * (pick[f"F{letter}"] - 1) + 1
        return Axis(((stride, f"O{letter}"), (dilation, f"F{letter}")), max(1, reach - pad), -pad)

    tensors = (
        ForeignTensor("O", simple("B", "G", "K", "OY", "OX"), 8, 16, output=True),
        ForeignTensor("W", simple("G", "K", "C", "FY", "FX"), 8, 8),
        ForeignTensor("I", (*simple("B", "G", "C"), window("Y"), window("X")), 8, 8),
    )
    return ForeignProblem("random", tuple(pick.items()), tensors, "Conv")


def random_space(
    draw: random.Random, hardware: ZigZagHardware, layer: ForeignProblem
) -> dict[str, tuple[tuple[str, int], ...]]:
    """Return an unrolling with sizes that need not divide."""
    left, made = dict(layer.dims), {}
    for axis, positions in hardware.axes:
        dim = draw.choice(sorted(left))
        factor = draw.randint(1, min(positions, left[dim]))
        made[axis] = ((dim, factor),)
        left[dim] = -(-left[dim] // factor)
    return made


def case(seed: int, sizes: tuple[int, ...] = (1, 2, 3, 4, 6)) -> tuple[random.Random, ZigZagModel]:
    draw = random.Random(seed)
    hardware, layer = machine(MACHINES[seed % len(MACHINES)]), random_layer(draw, sizes)
    return draw, ZigZagModel(hardware, layer, random_space(draw, hardware, layer), LINKS)


def primes(model: ZigZagModel) -> list[tuple[str, int]]:
    return [(dim, p) for dim, steps in model.steps.items() for p, power in factorised(steps) for _ in range(power)]


def random_plan(draw: random.Random, model: ZigZagModel, counter: Counter) -> Plan:
    order = primes(model)
    draw.shuffle(order)
    cuts = tuple(tuple(sorted(draw.randint(0, len(order)) for _ in range(n - 1))) for n in counter.tables.levels)
    return counter.settled(Plan(tuple(order), cuts))


def levels_of(counter: Counter, plan: Plan) -> Levels:
    return {
        role: [list(plan.order[low:high]) for low, high in pairwise((0, *cuts, len(plan.order)))]
        for role, cuts in zip(counter.tables.roles, plan.cuts, strict=True)
    }


def every_plan(model: ZigZagModel, counter: Counter) -> Iterator[Plan]:
    loops = primes(model)
    for order in dict.fromkeys(permutations(loops)):
        depths = range(len(order) + 1)
        for cuts in product(*(combinations_with_replacement(depths, n - 1) for n in counter.tables.levels)):
            yield Plan(order, tuple(cuts))


def test_tables_give_the_figures_of_the_reference_counting() -> None:
    compared = 0
    for seed in range(examples(40)):
        draw, model = case(seed)
        counter = Counter(CutTables(model))
        for _ in range(6):
            plan = random_plan(draw, model, counter)
            levels, figures = levels_of(counter, plan), counter.count(plan)
            assert (figures is not None) == model.fits(levels), (seed, plan)
            if figures is None:
                continue
            reference = model.count(levels)
            assert figures.energy_pj + model.mac_energy_pj == pytest.approx(reference.energy_pj, rel=1e-12), (
                seed,
                plan,
            )
            told = reference.latency_cycles - reference.drain_cycles
            assert figures.latency_cycles == pytest.approx(told, rel=1e-12), (seed, plan)
            compared += 1
    assert compared > 100


def test_no_bound_lies_above_a_mapping() -> None:
    compared = 0
    for seed in range(examples(40)):
        draw, model = case(seed)
        objective = OBJECTIVES[seed % 3]
        task = Task(model, objective)
        for place in task.search.counter.ports:
            task.search.watch(place)
        bound = task.search.bound()
        assert bound >= task.bound
        for _ in range(6):
            plan = random_plan(draw, model, task.search.counter)
            figures = task.search.counter.count(plan)
            if figures is None:
                continue
            assert bound <= task.search.worth(figures) * (1 + 1e-12), (seed, plan)
            better = descend(task.search.counter, plan, task.search.worth, 40)
            assert better is not None
            assert bound <= task.search.worth(better[1]) * (1 + 1e-12), (seed, better)
            compared += 1
    assert compared > 80


def test_the_search_and_its_bound_enclose_every_mapping() -> None:
    """Of all orders of prime factors and all cuts; whatever the effort, the bound is below and the plan is not."""
    compared = equal = proven = 0
    seed = 0
    while compared < examples(10):
        seed += 1
        _, model = case(seed, (1, 2, 2, 3))
        loops = primes(model)
        if not 1 <= len(loops) <= 3:
            continue
        objective = OBJECTIVES[compared % 3]
        task = Task(model, objective)
        least = float("inf")
        for plan in every_plan(model, task.search.counter):
            figures = task.search.counter.count(plan)
            if figures is not None:
                least = min(least, task.search.worth(figures))
        for nodes in (3, 10**6):
            found = search_plan(model.hardware, model.layer, LINKS, [model.unrolling], objective, Effort(nodes, 60))
            if isinstance(found, Infeasible):
                assert least == float("inf") and found.levers, seed
                continue
            assert found.bound <= least * (1 + 1e-12) <= found.value * (1 + 1e-11), (seed, nodes)
            assert model.fits(found.temporal)
        compared += 1
        if isinstance(found, ZigZagPlan):
            equal += found.value <= least * (1 + 1e-9)
            proven += found.proven_optimal
    assert equal == compared  # not promised, but so it is
    assert proven >= compared // 2


def test_the_bound_of_placed_cuts_is_below_every_order_of_loops() -> None:
    """Of the cuts of random mappings, ports all watched: busy, late, loads at the ends and the outer ports count."""
    compared = near = 0
    for seed in range(examples(60)):
        draw, model = case(seed, (2, 3, 4, 6, 8))
        task = Task(model, ("latency", "edp")[seed % 2])
        search = task.search
        for place in search.counter.ports:
            search.watch(place)
        for _ in range(8):
            plan = random_plan(draw, model, search.counter)
            for better in (plan, *(found[0] for found in [descend(search.counter, plan, search.worth, 30)] if found)):
                figures = search.counter.count(better)
                if figures is None:
                    continue
                node = search.root()
                for key, point in cut_points(search.counter, better):
                    node = search.placed(node, key, point)
                assert search.bound_of(node) <= search.worth(figures) * (1 + 1e-12), (seed, better)
                compared, near = compared + 1, near + (search.bound_of(node) > 0.95 * search.worth(figures))
    assert compared > 200 and near > 50


def cut_points(counter: Counter, plan: Plan) -> list[tuple[tuple[int, int], tuple[int, ...]]]:
    """Return the cuts of a plan with their points, outermost first."""
    points, found = counter.points(plan.order), []
    for role, ends in enumerate(plan.cuts):
        if role != counter.tables.output:
            foot = next(
                (at for at, loop in enumerate(plan.order) if loop[0] not in counter.blind[role]), len(plan.order)
            )
            found.append((foot, (role, 0)))
        found += [(end, (role, k)) for k, end in enumerate(ends, 1)]
    return [(key, points[end]) for end, key in sorted(found, key=lambda item: (-item[0], item[1][0], -item[1][1]))]


def test_more_unrollings_are_never_worse_and_all_are_legal() -> None:
    hardware = machine("zigzag_three_axes")
    layer = read_layers(open_cursor(FILES / "zigzag_layers.yaml"))[2]
    fixed = {"D1": (("K", 4),), "D2": (("OX", 3),), "D3": (("OY", 2),)}
    own = unrollings(hardware, layer, LINKS, 5)
    assert 1 <= len(own) <= 5
    for made in own:
        for axis, positions in hardware.axes:
            assert prod(factor for _, factor in made[axis]) <= positions
        assert all(steps >= 1 for steps in left_of(dict(layer.dims), made).values())
    alone = search_plan(hardware, layer, LINKS, [fixed])
    free = search_plan(hardware, layer, LINKS, [fixed, *own])
    assert isinstance(alone, ZigZagPlan) and isinstance(free, ZigZagPlan)
    assert free.value <= alone.value and free.unrollings == 1 + len(own)
    assert search_plan(hardware, layer, LINKS, [fixed, *own]) == free


def test_plain_nests_fit_and_moves_keep_every_loop() -> None:
    _, model = case(7)
    counter = Counter(CutTables(model))
    for plan in plain(counter):
        assert model.fits(levels_of(counter, counter.settled(plan)))
        for other in neighbours(plan):
            assert sorted(other.order) == sorted(plan.order)
            assert all(list(ends) == sorted(ends) and ends[-1] <= len(plan.order) for ends in other.cuts if ends)


def test_open_windows_are_counted_as_if_listed() -> None:
    draw = random.Random(3)
    for _ in range(200):
        period, jobs = 1, []
        for _ in range(draw.randint(1, 3)):
            period *= draw.choice((1, 2, 3, 4))
            jobs.append((1, draw.randint(0, max(0, period - 1)), period, 0))
        total = period * draw.choice((1, 2))
        jobs = [(real, allowed, own, total // own) for real, allowed, own, _ in jobs]
        draw.shuffle(jobs)
        listed = sum(any(t % own < allowed for _, allowed, own, _ in jobs) for t in range(total))
        assert open_cycles(jobs) == listed


def test_the_example_of_the_page_runs() -> None:
    root = Path(__file__).resolve().parents[2]
    block = re.search(r"```python\n(.*?)```", (root / "docs/zigzag_search.md").read_text(), re.DOTALL)
    assert block is not None
    told = subprocess.run([sys.executable, "-c", block[1]], cwd=root, capture_output=True, text=True, check=True)
    assert told.stdout.startswith("{'O': [[")


def test_what_cannot_be_held_is_an_answer() -> None:
    hardware = machine("zigzag_private")
    layer = read_layers(open_cursor(FILES / "zigzag_layers.yaml"))[0]
    wide = ForeignProblem(
        layer.name, layer.dims,
        tuple(ForeignTensor(t.name, t.axes, 1 << 16, 1 << 16, t.output) for t in layer.tensors), layer.kind,
    )  # fmt: skip
    found = search_plan(hardware, wide, LINKS, [{}])
    assert isinstance(found, Infeasible) and "capacity" in " ".join(found.levers)
    with pytest.raises(InputError, match="objective 'area' is unknown; use edp, energy, latency"):
        search_plan(hardware, layer, LINKS, [{}], "area")
    with pytest.raises(InputError, match="nodes 0, evaluations 1, bound is >= 1"):
        Effort(0, 1)
