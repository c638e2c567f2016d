"""Mappings written in other tools' forms, and ZigZag's counting where it is delicate."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.hierarchy.tree import ArrayAxis, Level, MemoryTree
from hw_models.importers.source import open_cursor
from hw_models.importers.timeloop_attributes import factors_of
from hw_models.importers.zigzag_hardware import read_hardware
from hw_models.importers.zigzag_tree import zigzag_tree
from hw_models.yaml_edge import parse_yaml
from mappers.exchange.problems import nest_problem, zigzag_layer
from mappers.exchange.timeloop_write import timeloop_mapping
from mappers.exchange.zigzag_loops import distinct
from mappers.exchange.zigzag_mapping import dump_mapping, loops_of_nest, read_mapping
from mappers.nests.mapping import Hold, Loop, NestMapping
from mappers.nests.problem import problem_of_einsum
from workloads.errors import InputError
from workloads.importers.cursor import Cursor
from workloads.importers.zigzag_layers import read_layers
from workloads.mac_layers import MacLayer
from workloads.zoo import load

FILES = Path(__file__).resolve().parents[1] / "data" / "peers"
ROLES = ("I", "W", "O")
TREE = MemoryTree(
    "two", (ArrayAxis("PE_X", 4),), (Level("DRAM", ("PE_X",), ROLES), Level("RF", (), (), ROLES))
)  # fmt: skip
PROBLEM = problem_of_einsum("O[p]=I[p+r]*W[r]", {"p": 8, "r": 3})
TOP = [Hold("DRAM", role) for role in ROLES]


def test_an_even_nest_is_written_for_timeloop() -> None:
    nodes = (*TOP, Loop("p", 4), Loop("p", 1, "PE_X"), Hold("RF", "I"), Hold("RF", "O"), Loop("r", 1))
    text = timeloop_mapping(PROBLEM, TREE, NestMapping(nodes), {"PE_X": "PE"})
    assert "  - target: PE\n    type: spatial\n    factors: [p=4, r=1]" in text
    assert "  - target: RF\n    type: temporal\n    factors: [p=1, r=3]" in text
    assert "    keep: [I, O]\n    bypass: [W]" in text


def test_an_uneven_nest_has_no_timeloop_form() -> None:
    nodes = (*TOP, Hold("RF", "W"), Loop("p", 1), Hold("RF", "I"), Hold("RF", "O"), Loop("r", 1))
    with pytest.raises(InputError, match="level 'RF' holds tensors above and below a loop in time"):
        timeloop_mapping(PROBLEM, TREE, NestMapping(nodes), {"PE_X": "PE"})


def test_ragged_tiles_have_no_timeloop_form() -> None:
    nodes = (*TOP, Loop("p", 3), Hold("RF", "I"), Loop("p", 1), Loop("r", 1))
    with pytest.raises(InputError, match="tiles of 3 out of 8, the last of them ragged"):
        timeloop_mapping(PROBLEM, TREE, NestMapping(nodes), {"PE_X": "PE"})


def test_a_bypass_has_no_zigzag_form() -> None:
    hardware = read_hardware(open_cursor(FILES / "zigzag_systolic.yaml"))
    layer = read_layers(open_cursor(FILES / "zigzag_layers.yaml"))[6]
    nodes = [Hold("dram", role) for role in ROLES] + [Loop("K", 1), Loop("C", 1)]
    with pytest.raises(InputError, match=r"(O|W|I) bypasses"):
        loops_of_nest(nest_problem(layer), zigzag_tree(hardware), NestMapping(tuple(nodes)))


def test_a_written_zigzag_mapping_reads_back() -> None:
    hardware = read_hardware(open_cursor(FILES / "zigzag_systolic.yaml"))
    layer = read_layers(open_cursor(FILES / "zigzag_layers.yaml"))[1]
    nodes = [*(Hold("dram", role) for role in ROLES), Hold("sram", "I"), Hold("sram", "O"), Loop("K", 4), Loop("OX", 1)]
    nodes += [Loop("OY", 1), Loop("K", 1, "D1"), Loop("C", 2, "D2"), Hold("rf_w", "W"), Hold("rf_o", "O"), Loop("C", 1)]
    nodes += [Loop("FX", 1), Loop("FY", 1)]
    loops = loops_of_nest(nest_problem(layer), zigzag_tree(hardware), NestMapping(tuple(nodes)))
    entry = read_mapping(Cursor.of(parse_yaml(dump_mapping(loops), "text")))[0]
    assert entry.order == loops.order == (("FY", 3), ("FX", 3), ("C", 2), ("OY", 12), ("OX", 12), ("K", 4))
    assert dict(entry.unrolling) == {"D1": (("K", 4),), "D2": (("C", 4),)}


@settings(deadline=None, max_examples=200)
@given(st.integers(1, 4), st.integers(1, 6), st.integers(1, 4), st.integers(1, 6))
def test_distinct_is_the_number_of_values_where_the_formula_holds(a: int, n: int, b: int, m: int) -> None:
    from math import gcd

    if n >= b // gcd(a, b):
        assert distinct(a, n, b, m) == len({a * i + b * j for i, j in product(range(n), range(m))})


def test_a_layer_of_a_network_gets_zigzags_names_and_widths() -> None:
    conv = next(layer for layer in load("resnet18").layers if isinstance(layer, MacLayer))
    layer = zigzag_layer(conv)
    assert dict(layer.dims) == {"B": 1, "K": 64, "G": 1, "OX": 112, "OY": 112, "C": 3, "FX": 7, "FY": 7}
    image = layer.inputs[1]
    assert [axis.size for axis in image.axes] == [1, 1, 3, 224, 224]
    assert (layer.output.bits, layer.output.partial_bits) == (8, 16)
    assert layer.padded({"K": 70}).size("K") == 70


@pytest.mark.parametrize("text", ["[R=3, P=16]", "R=3,P=16", "R=3 P=16", "R3 P16", "{R: 3, P: 16}"])
def test_factors_may_be_written_in_five_ways(text: str) -> None:
    top = Cursor.of(parse_yaml(f"f: {text}", "text"))
    assert factors_of(top.at("f", top.value["f"])) == {"R": 3, "P": 16}
