"""ZigZag's own accesses, energies and cycles, reproduced from its files by the project's readers and counting.

The reference is `data/zigzag_counts.json`: mappings that zigzag-dse found on the machines of `tests/data/peers`, under
three objectives, with everything it counted (written by `benchmarks/peers/zigzag_reference.py`).
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from hw_models.importers.source import open_cursor
from hw_models.importers.zigzag_hardware import ZigZagHardware, read_hardware
from hw_models.importers.zigzag_tree import zigzag_tree
from hw_models.yaml_edge import parse_yaml
from mappers.exchange.problems import nest_problem
from mappers.exchange.zigzag_count import count
from mappers.exchange.zigzag_mapping import (
    ZigZagEntry,
    dump_mapping,
    entry_for,
    loops_of_nest,
    nest_of_loops,
    read_mapping,
)
from mappers.zigzag_search.search import Effort, ZigZagPlan, search_plan
from workloads.errors import InputError
from workloads.importers.cursor import Cursor
from workloads.importers.records import ForeignProblem
from workloads.importers.zigzag_layers import read_layers

FILES = Path(__file__).resolve().parents[1] / "data" / "peers"
DATA = json.loads((Path(__file__).parent / "data" / "zigzag_counts.json").read_text())
WAYS = {"tl": "rd_out_to_low", "fl": "wr_in_by_low", "th": "rd_out_to_high", "fh": "wr_in_by_high"}


@cache
def machine(name: str) -> tuple[ZigZagHardware, tuple[ZigZagEntry, ...]]:
    return (
        read_hardware(open_cursor(FILES / f"{name}.yaml")),
        read_mapping(open_cursor(FILES / f"{name}_mapping.yaml")),
    )


@cache
def layers() -> dict[str, ForeignProblem]:
    return {layer.name: layer for layer in read_layers(open_cursor(FILES / "zigzag_layers.yaml"))}


def spatial(case: dict[str, Any]) -> dict[str, tuple[tuple[str, int], ...]]:
    return {axis: tuple((dim, factor) for dim, factor in pairs) for axis, pairs in case["user_spatial"].items()}


@pytest.mark.parametrize("case", DATA["cases"], ids=lambda case: f"{case['machine']}-{case['name']}")
def test_every_access_and_cycle_is_equal(case: dict[str, Any]) -> None:
    hardware, entries = machine(case["machine"])
    layer = layers()[case["name"]]
    entry = entry_for(entries, layer.name, layer.kind)
    found = count(hardware, layer, spatial(case), case["temporal"], dict(entry.links))
    accesses = {
        role: [{WAYS[way]: n for way, n in level.items()} for level in levels]
        for role, levels in found.accesses.items()
    }
    assert accesses == case["word_accesses"]
    assert found.energy_pj == pytest.approx(case["energy_pj"], rel=1e-12)
    assert found.mac_energy_pj == pytest.approx(case["mac_energy_pj"], rel=1e-12)
    told = case["latency"]
    assert found.steps == told["ideal_temporal"]
    assert found.stall_cycles == pytest.approx(told["stall"], abs=1e-6)
    assert found.onloading_cycles == pytest.approx(told["onloading"], abs=1e-6)
    assert found.offloading_cycles == pytest.approx(told["offloading"], abs=1e-6)
    assert found.drain_cycles == told["drain"]
    assert found.latency_cycles == pytest.approx(told["total"], rel=1e-12)


@pytest.mark.parametrize("case", DATA["cases"], ids=lambda case: f"{case['machine']}-{case['name']}")
def test_a_mapping_makes_a_nest_and_comes_back(case: dict[str, Any]) -> None:
    hardware, _ = machine(case["machine"])
    layer = layers()[case["name"]]
    problem, tree = nest_problem(layer), zigzag_tree(hardware)
    nest = nest_of_loops(problem, tree, case["temporal"], spatial(case))
    nest.check(problem, tree)
    back = loops_of_nest(problem, tree, nest)
    plain = {
        role: [[list(loop) for loop in level if loop[1] > 1] for level in levels] for role, levels in back.temporal
    }
    given = {
        role: [[loop for loop in level if loop[1] > 1] for level in levels] for role, levels in case["temporal"].items()
    }
    assert plain == given
    assert dict(back.unrolling) == {
        axis: tuple(pair for pair in pairs if pair[1] > 1) for axis, pairs in spatial(case).items()
    }
    entry = read_mapping(Cursor.of(parse_yaml(dump_mapping(back), "text")))[0]
    assert entry.order == back.order
    unrolled = entry.unrolled(dict(layer.dims), dict(hardware.axes))
    links = dict(entry.links)
    again = count(hardware, layer, unrolled, dict(back.temporal), links)
    assert again == count(hardware, layer, spatial(case), case["temporal"], links)


@pytest.mark.parametrize("case", DATA["cases"][::3], ids=lambda case: f"{case['machine']}-{case['name']}")
def test_the_search_is_never_worse_than_what_zigzag_found(case: dict[str, Any]) -> None:
    hardware, entries = machine(case["machine"])
    layer = layers()[case["name"]]
    links = dict(entry_for(entries, layer.name, layer.kind).links)
    found = search_plan(hardware, layer, links, [spatial(case)], "edp", Effort(300, 300))
    assert isinstance(found, ZigZagPlan)
    theirs = case["energy_pj"] * case["latency"]["total"]
    assert found.bound <= theirs * (1 + 1e-12)
    assert found.value <= theirs * (1 + 1e-12)
    problem, tree = nest_problem(layer), zigzag_tree(hardware, links)
    back = loops_of_nest(problem, tree, nest_of_loops(problem, tree, found.temporal, found.unrolling))
    assert count(hardware, layer, found.unrolling, dict(back.temporal), links) == found.count


def test_the_reference_covers_what_is_delicate() -> None:
    """Every layer on every machine, broken shares, stalls, on-loading, and a drain."""
    cases = DATA["cases"]
    assert {(case["machine"], case["name"]) for case in cases} == {
        (name, layer) for name in ("zigzag_systolic", "zigzag_three_axes", "zigzag_private") for layer in layers()
    }
    for part in ("stall", "onloading", "offloading", "drain"):
        assert any(case["latency"][part] for case in cases)


def test_loops_that_are_not_the_layers_are_refused() -> None:
    case = next(c for c in DATA["cases"] if c["name"] == "three")
    hardware, entries = machine(case["machine"])
    wrong = {role: [*levels[:-1], [*levels[-1], ["K", 2]]] for role, levels in case["temporal"].items()}
    with pytest.raises(InputError, match=r"mapping: . has \d+ steps of K, bound is"):
        count(hardware, layers()["three"], spatial(case), wrong, dict(entries[0].links))
