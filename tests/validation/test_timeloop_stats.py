"""Timeloop's own access counts on the public exercises, reproduced from machine, problem and mapping in its file forms.

The figures are data of `data/timeloop_stats.json`; the files are the tests' own, of the same machines and problems.
Timeloop writes an output tile that leaves to the level above as an update there and counts no read for it, and counts a
fill only for partial sums that come back.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hw_models.importers.source import PEER_TAGS, open_cursor
from hw_models.importers.timeloop_arch import TimeloopArch, read_arch
from hw_models.importers.timeloop_tree import timeloop_tree
from hw_models.yaml_edge import parse_yaml
from mappers.exchange.problems import nest_problem
from mappers.exchange.timeloop_mapping import read_timeloop_mapping
from mappers.exchange.timeloop_write import fanout_targets, timeloop_mapping
from mappers.nests.counts import flows
from mappers.nests.mapping import NestMapping
from mappers.nests.problem import NestProblem
from mappers.nests.views import Nest
from workloads.importers.cursor import Cursor
from workloads.importers.timeloop_problem import read_problem

FILES = Path(__file__).resolve().parents[1] / "data" / "peers"
DATA = json.loads((Path(__file__).parent / "data" / "timeloop_stats.json").read_text())
FORMS = ("timeloop_3level_v04.yaml", "timeloop_3level_v03.yaml")


def cursor(text: str, name: str = "text") -> Cursor:
    return Cursor.of(parse_yaml(text, name, tags=PEER_TAGS))


def problem_of(case: dict[str, Any]) -> NestProblem:
    text = (FILES / "timeloop_conv1d_oc.yaml").read_text()
    sizes = ", ".join(f"{dim}: {size}" for dim, size in case["dims"].items())
    return nest_problem(read_problem(cursor(text.partition("  instance:")[0] + f"  instance: {{{sizes}}}\n")))


def mapping_text(case: dict[str, Any]) -> str:
    lines = ["mapping:"]
    for target, kind, factors, order, bypass in case["mapping"]:
        lines.append(f"- {{target: {target}, type: {kind}")
        lines[-1] += f', factors: "{factors}", permutation: {order}' if factors else ""
        lines[-1] += f", bypass: [{', '.join(bypass)}]" if bypass else ""
        lines[-1] += "}"
    return "\n".join(lines) + "\n"


def stats(nest: Nest) -> dict[str, dict[str, list[int]]]:
    """Return reads, fills and updates per instance, as Timeloop prints them."""
    found: dict[str, dict[str, list[int]]] = {}
    for flow in flows(nest, "timeloop"):
        up = found.setdefault(flow.parent, {}).setdefault(flow.role, [0, 0, 0])
        back = flow.parent_elements - flow.parent_first
        up[0] += (back if flow.output else flow.parent_elements) // flow.parent_copies
        up[2] += flow.parent_elements // flow.parent_copies if flow.output else 0
        if flow.child:
            down = found.setdefault(flow.child, {}).setdefault(flow.role, [0, 0, 0])
            down[1] += (flow.child_elements - (flow.child_first if flow.output else 0)) // flow.child_copies
    return found


def load(case: dict[str, Any], form: str) -> tuple[TimeloopArch, NestProblem, NestMapping]:
    arch, problem = read_arch(open_cursor(FILES / form)), problem_of(case)
    return arch, problem, read_timeloop_mapping(cursor(mapping_text(case)), arch, problem)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("case", DATA["cases"], ids=lambda case: case["name"])
def test_counts_are_those_of_the_published_output(case: dict[str, Any], form: str) -> None:
    arch, problem, mapping = load(case, form)
    nest = Nest(problem, timeloop_tree(arch, [t.role for t in problem.tensors], problem.sizes), mapping)
    found = stats(nest)
    for level, tensors in case["counts"].items():
        for tensor, counts in tensors.items():
            assert found[level][tensor] == counts, (level, tensor)
    assert nest.steps() == case["cycles"]
    assert problem.macs == case["computes"]


@pytest.mark.parametrize("case", DATA["cases"], ids=lambda case: case["name"])
def test_a_mapping_is_written_and_read_back_to_the_same_nest(case: dict[str, Any]) -> None:
    arch, problem, mapping = load(case, FORMS[0])
    tree = timeloop_tree(arch, [t.role for t in problem.tensors], problem.sizes)
    text = timeloop_mapping(problem, tree, mapping, fanout_targets(arch))
    assert read_timeloop_mapping(cursor(text), arch, problem) == mapping


def test_both_forms_of_a_machine_are_one_machine() -> None:
    first, second = (timeloop_tree(read_arch(open_cursor(FILES / form)), ["A"], ["K"]) for form in FORMS)
    assert first.levels == second.levels
    assert first.axes == second.axes
