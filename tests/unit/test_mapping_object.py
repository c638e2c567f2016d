"""The mapping object: tiles, nest, YAML."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw_models.description import load_accelerator
from mappers.mapping import TILED_DIMS, Certificate, Mapping, NestLoop, TileLoop
from mappers.mapping_yaml import SCHEMA, dump_mapping, load_mapping
from tests.reference.mapper_example import LEGAL, PROBLEM, mapping
from workloads.errors import InputError

ARRAY = load_accelerator("edge_int8").core.array


@st.composite
def mappings(draw: st.DrawFn) -> Mapping:
    dims = draw(st.lists(st.sampled_from(TILED_DIMS), unique=True))
    loops = []
    for dim in dims:
        extent = draw(st.integers(1, 10**6))
        loops.append(TileLoop(dim, extent, draw(st.integers(1, extent))))
    cut = st.integers(0, len(loops))
    number = st.one_of(st.integers(0, 10**15), st.floats(0, allow_nan=False, allow_infinity=False))
    certificate = st.builds(
        Certificate, st.text(), st.text(), st.text(), number, number, st.integers(0), st.integers(0), st.booleans()
    )
    return Mapping(
        draw(st.text()),
        draw(st.text()),
        draw(st.sampled_from(("ws", "os"))),
        tuple(loops),
        (("I", draw(cut)), ("W", draw(cut)), ("O", draw(cut))),
        draw(st.one_of(st.none(), certificate)),
    )


@given(mappings())
def test_yaml_gives_the_identical_mapping(mapping: Mapping) -> None:
    text = dump_mapping(mapping)
    back = load_mapping(text)
    assert back == mapping and repr(back) == repr(mapping) and dump_mapping(back) == text


GOOD = dump_mapping(LEGAL)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (SCHEMA, "tilewright.mapping/2", "schema is 'tilewright.mapping/2', bound is 'tilewright.mapping/1'"),
        ("dataflow: ws", "dataflow: rs", "dataflow is 'rs', bound is ws, os or is"),
        ("tile: 32", "tile: 65", "tile of K is 65, bound is 1..64"),
        ("tile: 32", "tile: 3.5", "tile is 3.5, an integer is needed"),
        ("tile: 32", "tile: true", "tile is True, an integer is needed"),
        ("tile: 32", "tyle: 32", "unknown key 'tyle'; did you mean 'tile'?"),
        ("{I: 0, W: 1, O: 2}", "{I: 0, W: 1}", "cuts lacks O"),
        ("{I: 0, W: 1, O: 2}", "{I: 0, W: 1, O: 9}", "cut of O is 9, bound is 0..2"),
        ("{I: 0, W: 1, O: 2}", "7", "cuts is 7, a table is needed"),
        ("dim: OY", "dim: K", "two loops"),
        ("dim: OY", "dim: OZ", "'OZ' is not one of"),
        ("layer:", "layre:", "did you mean 'layer'?"),
        ("core:", "layer:", "given twice"),
    ],
)
def test_bad_yaml_is_refused_with_its_place(old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(InputError) as caught:
        load_mapping(GOOD.replace(old, new, 1), "plan.yaml")
    assert message in str(caught.value)


def test_mistakes_are_reported_together() -> None:
    text = GOOD.replace("tile: 32", "tile: x").replace("I: 0", "I: y").replace("core:", "cure:")
    with pytest.raises(InputError) as caught:
        load_mapping(text, "plan.yaml")
    lines = str(caught.value).splitlines()
    assert len(lines) == 4 and all(line.startswith("plan.yaml:") for line in lines)


@pytest.mark.parametrize("text", ["", "[]", "a: &x 1", "loops: " + "[" * 50, "x: !!python/object:os.system 1"])
def test_hostile_yaml_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        load_mapping(text)


def test_tiles_by_cut() -> None:
    assert [LEGAL.held(role, PROBLEM.size)["K"] for role in "IWO"] == [64, 32, 32]
    assert [LEGAL.held(role, PROBLEM.size)["OY"] for role in "IWO"] == [12, 12, 4]
    assert [LEGAL.transfers(role) for role in "IWO"] == [1, 2, 6]
    assert replace(LEGAL, cuts=(("I", 2), ("W", 2), ("O", 2))).transfers("W") == 2, "K outside, OY leaves weights be"
    assert replace(LEGAL, cuts=(("I", 2), ("W", 2), ("O", 2))).transfers("I") == 6, "each K walks all rows again"


def test_a_loop_of_one_iteration_replaces_nothing() -> None:
    still = mapping(("C", 8), ("OY", 12), cuts=(0, 0, 2))
    assert still.transfers("O") == 1, "OY has one iteration, so the sums stay while C steps"
    assert mapping(("C", 8), ("OY", 6), cuts=(0, 0, 2)).transfers("O") == 4


def test_nest_of_both_dataflows_and_unrolls() -> None:
    nest = LEGAL.nest(PROBLEM, ARRAY)
    pixels, window = ("N", "OD", "OY", "OX"), ("FD", "FY", "FX", "C")
    assert nest == (
        NestLoop(("K",), 2, 32, "dram", "temporal"),
        NestLoop(("OY",), 3, 4, "dram", "temporal"),
        NestLoop(("G",), 1, 1, "scratchpad", "temporal"),
        NestLoop(("K",), 1, 32, "scratchpad", "temporal"),
        NestLoop(window, 5, 16, "scratchpad", "temporal"),
        NestLoop(pixels, 48, 1, "array", "temporal"),
        NestLoop(window, 32, 16, "array", "spatial", "rows"),
        NestLoop(("K",), 32, 32, "array", "spatial", "cols"),
    )
    os_nest = replace(LEGAL, dataflow="os").nest(PROBLEM, ARRAY)
    assert os_nest[4:7] == (
        NestLoop(pixels, 2, 16, "scratchpad", "temporal"),
        NestLoop(window, 144, 1, "array", "temporal"),
        NestLoop(pixels, 32, 16, "array", "spatial", "rows"),
    )
    by_channel = LEGAL.nest(PROBLEM, replace(ARRAY, reduction_unroll="channel"))
    assert by_channel[4] == NestLoop(("FD", "FY", "FX"), 9, 1, "scratchpad", "temporal")
    assert by_channel[-2] == NestLoop(("C",), 16, 16, "array", "spatial", "rows")


def test_loops_inside_every_cut_are_scratchpad_loops() -> None:
    inner = replace(LEGAL, cuts=(("I", 0), ("W", 1), ("O", 1)))
    assert [line.level for line in inner.nest(PROBLEM, ARRAY)[:2]] == ["dram", "scratchpad"]
