"""Hierarchies, problems and nests: worked cases, round trips, bad input."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from hw_models.hierarchy.reader import dump_hierarchy, hierarchy_presets, load_hierarchy, read_hierarchy
from hw_models.hierarchy.tree import Level, MemoryTree
from hw_models.yaml_edge import parse_yaml
from mappers.nests.cost import evaluate
from mappers.nests.counts import Access, accesses
from mappers.nests.example import worked_case
from mappers.nests.mapping import Hold, Loop, NestMapping
from mappers.nests.mapping_yaml import dump_nest, load_nest
from mappers.nests.objective import parse_objective
from mappers.nests.problem import problem_of_einsum, problem_of_layer
from mappers.nests.views import Nest
from workloads.errors import InputError
from workloads.mac_layers import MacLayer
from workloads.zoo import load


def test_worked_case_of_timeloop() -> None:
    table = accesses(worked_case(), "timeloop")
    assert table["Buffer", "W"] == Access(48, 3, 0)
    assert table["Buffer", "I"] == Access(48, 18, 0)
    assert table["Buffer", "O"] == Access(32, 16, 48)
    assert (table["DRAM", "W"].reads, table["DRAM", "I"].reads, table["DRAM", "O"].updates) == (3, 18, 16)
    assert evaluate(worked_case(), "timeloop").latency_cycles == 48


@pytest.mark.parametrize(("tile", "reads"), [(1, 576), (2, 288)])
def test_worked_case_with_output_channels(tile: int, reads: int) -> None:
    roles = ("I", "W", "O")
    tree = MemoryTree("two", (), (Level("DRAM", (), roles), Level("Buffer", (), roles)))
    top, low = [Hold("DRAM", role) for role in roles], [Hold("Buffer", role) for role in roles]
    nodes = (*top, Loop("k", tile), Loop("p", 1), *low, Loop("k", 1), Loop("r", 1))
    nest = Nest(problem_of_einsum("O[k,p]=I[p+r]*W[k,r]", {"k": 32, "p": 16, "r": 3}), tree, NestMapping(nodes))
    assert accesses(nest, "timeloop")["DRAM", "I"].reads == reads
    assert nest.steps() == 1536


def test_zigzag_leaves_bottom_loops_free_and_counts_sums() -> None:
    table = accesses(worked_case(), "zigzag")
    assert table["DRAM", "I"].reads == 48, "whole fetches, no sliding"
    assert table["Buffer", "O"] == Access(0, 0, 16, 16), "the multiplier keeps its sum over the filter"


def test_finished_outputs_move_at_their_own_precision() -> None:
    roles = ("I", "W", "O")
    top = Level("DRAM", (), roles, write_pj=Fraction(1), read_pj=Fraction(1))
    tree = MemoryTree("two", (), (top, Level("Buffer", (), roles)))
    problem = problem_of_einsum("O[x]=I[x,c]*W[c]", {"x": 4, "c": 2}, {"O": 24}, 8)
    top_holds, low_holds = ([Hold(name, role) for role in roles] for name in ("DRAM", "Buffer"))
    nest = Nest(problem, tree, NestMapping((*top_holds, Loop("c", 1), Loop("x", 1), *low_holds)))
    # inputs 8 + 2 elements; outputs 4 partial up, 4 partial down, 4 finished up
    assert evaluate(nest, "zigzag").energy_pj == 8 * (8 + 2) + 24 * (4 + 4) + 8 * 4


@pytest.mark.parametrize("name", hierarchy_presets())
def test_presets_round_trip(name: str) -> None:
    tree = load_hierarchy(name)
    assert tree.source
    assert read_hierarchy(parse_yaml(dump_hierarchy(tree), "again")) == tree


def test_nests_round_trip() -> None:
    mapping = worked_case().mapping
    assert load_nest(dump_nest(mapping)) == mapping


def test_groups_and_strides_become_axes() -> None:
    layers = [layer for layer in load("mobilenet_v2").layers if isinstance(layer, MacLayer)]
    depthwise = next(layer for layer in layers if layer.is_depthwise)
    (problem,) = problem_of_layer(depthwise)
    assert "G" in problem.sizes and "C" not in problem.sizes and "K" not in problem.sizes
    assert problem.macs == depthwise.macs


BAD_FILES = [
    ("levels: []", "x.yaml:1: hierarchy 'm': levels is empty, bound is one or more levels"),
    ("levels: [{name: D, kep: [I]}]", "levels.0.kep: key is unknown; did you mean 'keep'?"),
    ("levels: [{name: D, keep: [I], capacity: 4}]", "'4' has no unit; add one of"),
    ("levels: [{name: D, keep: [I], serves: [z]}]", "level 'D' serves axis 'z'"),
    ("levels: [{name: D, keep: [I]}, {name: B, keep: [W]}]", "outermost level 'D' does not keep 'W'"),
    ("levels: [{name: D, keep: [I], buffers: 3}]", "buffers 3"),
    ("axes: [{name: x, size: 2, forced: {K: 4}}]\nlevels: [{name: D, keep: [I]}]", "forced is {'K': 4}"),
    ("axes: [{name: x, size: 0}]\nlevels: [{name: D, keep: [I]}]", "axes.0.size: value is 0"),
]


@pytest.mark.parametrize(("body", "message"), BAD_FILES)
def test_bad_hierarchies_are_refused_with_their_place(body: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read_hierarchy(parse_yaml(f"schema: tilewright.hierarchy/1\nname: m\n{body}", "x.yaml"))
    assert message in str(caught.value)
    assert str(caught.value).startswith("x.yaml:")


BAD_NESTS = [
    ((Loop("k", 1),), "must keep 'I'"),
    ((Hold("DRAM", "I"), Loop("z", 1)), "dimensions are ['p', 'r']"),
    ((Loop("p", 17),), "bound is 16"),
    ((Loop("p", 1),), "innermost tile of r is 3"),
    ((Loop("p", 1), Loop("r", 1), Hold("DRAM", "I")), "2 loops above 'DRAM'"),
    ((Loop("p", 1), Loop("r", 1), Hold("Buffer", "I"), Hold("Buffer", "I")), "each level once"),
]


@pytest.mark.parametrize(("nodes", "message"), BAD_NESTS)
def test_bad_nests_are_refused(nodes: tuple[Loop | Hold, ...], message: str) -> None:
    case = worked_case()
    if message.startswith("must"):
        nodes = (Loop("p", 1), Loop("r", 1))
    with pytest.raises(InputError) as caught:
        NestMapping(nodes).check(case.problem, case.tree)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("equation", "message"),
    [
        ("O[p]", "no '='"),
        ("O[p]=I[p-r]*W[r]", "is not a sum"),
        ("O[p]=I[q]*W[r]", "no size for dimension 'q'"),
        ("O[2*p]=I[p]*W[r]", "plain dimensions"),
    ],
)
def test_bad_equations_are_refused(equation: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        problem_of_einsum(equation, {"p": 4, "r": 2})
    assert message in str(caught.value)


def test_bad_objectives_are_refused() -> None:
    for text, limits in (("speed", ()), ("edp,edp", ()), ("edp", ("energy",)), ("edp", ("energy=-1",))):
        with pytest.raises(InputError):
            parse_objective(text, limits)


def test_a_missing_file_names_the_presets(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="did you mean 'eyeriss_like'"):
        load_hierarchy("eyeris_like")
