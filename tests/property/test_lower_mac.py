"""Lowered MAC groups of random mappings against naive walks: bytes, sums, commands and every order of events."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hw_models.accelerator import Accelerator
from hw_models.description import load_accelerator
from mappers.commands import ComputeCommand, LoadCommand, Program, StoreCommand, VectorCommand
from mappers.dram_layout import Layout, make_layout
from mappers.group import make_groups
from mappers.legality import check_mapping
from mappers.lower import lower
from mappers.mapping import RELEVANT, TILED_DIMS, Certificate, Mapping, TileLoop
from mappers.plan import Part, PlannedGroup, make_problem
from mappers.problem import TileProblem
from mappers.residency import Residency
from mappers.search import Found
from tests.reference.naive_lowering import image_bytes, input_elements, iterations, output_elements
from tests.reference.naive_program_check import Interpreter, naive_bytes
from tests.reference.profile import examples
from workloads.builder import NetworkBuilder
from workloads.mac_layers import MacLayer
from workloads.network import Network

EDGE = load_accelerator("edge_int8")


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """Return a convolution with what may be fused to it."""
    b = NetworkBuilder("case", "test")
    groups = draw(st.integers(1, 3))
    rank = draw(st.sampled_from([1, 2, 2, 2, 3]))
    spatial = tuple(draw(st.integers(2, 6)) for _ in range(rank))
    x = b.input("x", (draw(st.integers(1, 2)), groups * draw(st.integers(1, 3)), *spatial))
    taps, dilation = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    padding = draw(st.integers(0, 2))
    assume(all((taps - 1) * dilation + 1 <= size + 2 * padding for size in spatial))
    y = b.conv(
        x,
        groups * draw(st.integers(1, 4)),
        taps,
        stride=draw(st.integers(1, 3)),
        padding=padding,
        dilation=dilation,
        groups=groups,
        name="conv",
    )
    if draw(st.booleans()):
        y = b.relu(b.add(y, b.input("other", b.shape(y))))
    plane = b.shape(y)[2:]
    if rank == 2 and draw(st.booleans()):
        if all(size % 2 == 0 for size in plane) and draw(st.booleans()):
            y = b.max_pool(y, 2, 2)
        else:
            y = b.global_avg_pool(y)
    return b.build(y)


@st.composite
def mappings(draw: st.DrawFn, problem: TileProblem, dataflows: tuple[str, ...] = ("ws", "os")) -> Mapping:
    """Return any mapping of `problem`, legal or not."""
    loops = []
    for dim in draw(st.permutations(TILED_DIMS)):
        size = problem.size[dim]
        tile = draw(st.integers(1, size)) if draw(st.booleans()) else size
        if tile < size or draw(st.booleans()):
            loops.append(TileLoop(dim, size, tile))
    cuts = tuple((role, draw(st.integers(0, len(loops)))) for role in "IWO")
    return Mapping("conv", "core0", draw(st.sampled_from(dataflows)), tuple(loops), cuts)


def _found(mapping: Mapping) -> Found:
    certificate = Certificate("none", "none", "latency", 0, 0, 1, 1, False)
    return Found(mapping.dataflow, mapping.loops, mapping.cuts, certificate, 0, 0.0, 0)


def lowered(
    network: Network, mapping: Mapping, accelerator: Accelerator = EDGE
) -> tuple[Program, dict[str, int], Layout, TileProblem]:
    """Return the program of a network of one MAC group under `mapping`."""
    layout = make_layout(network, 1)
    (group,) = make_groups(network, layout, accelerator.core)
    assert isinstance(group.lead, MacLayer)
    problem = make_problem(layout, group, group.lead, accelerator)
    entry = PlannedGroup(group, (Part(group.lead, problem, _found(mapping), None),))
    residency = Residency((group,), accelerator.core.input.half_bytes, accelerator.core.input.halves)
    program, addresses = lower(network, accelerator, layout, (entry,), residency)
    return program, dict(addresses), layout, problem


def _problem(network: Network) -> tuple[TileProblem, MacLayer]:
    layout = make_layout(network, 1)
    (group,) = make_groups(network, layout, EDGE.core)
    assert isinstance(group.lead, MacLayer)
    return make_problem(layout, group, group.lead, EDGE), group.lead


def _tiles(mapping: Mapping, size: dict[str, int], role: str) -> list[dict[str, range]]:
    """Return the tiles that a tensor takes in, in order: a new one whenever a range that matters to it changes."""
    cut, tiles, last = mapping.cut(role), [], None
    for depths in iterations(mapping, size):
        tile = depths[cut]
        key = tuple(tile[dim] for dim in TILED_DIMS if dim in RELEVANT[role])
        if key != last:
            tiles.append(tile)
            last = key
    return tiles


def _image(layer: MacLayer, channels: int, spatial: tuple[int, ...]) -> tuple[int, ...]:
    return (layer.dims.N, channels, *spatial)


def _given(program: Program, network: Network, addresses: dict[str, int]) -> set[int]:
    """Return the bytes that exist from the start: network inputs and packed weights."""
    known: set[int] = set()
    for command in program.commands:
        if isinstance(command, LoadCommand) and not command.tensor.endswith("(sums)"):
            producer = network.producer(command.tensor)
            if producer is None:
                known.update(naive_bytes(command.transfers))
    return known


@given(st.data())
@settings(max_examples=examples(80))
def test_loads_and_stores_are_the_tiles_of_the_mapping(data: st.DataObject) -> None:
    network = data.draw(networks())
    problem, layer = _problem(network)
    mapping = data.draw(mappings(problem))
    assume(not check_mapping(problem, mapping, EDGE.core.array))
    program, addresses, _, _ = lowered(network, mapping)
    size = problem.size

    sizes = _image(layer, layer.in_channels, layer.input_spatial)
    wanted = [image_bytes(input_elements(layer, tile), sizes, addresses["x"]) for tile in _tiles(mapping, size, "I")]
    loads = [c for c in program.commands if isinstance(c, LoadCommand)]
    found = [naive_bytes(c.transfers) for c in loads if c.tensor == "x"]
    assert [set(moved) for moved in found] == [tile for tile in wanted if tile]
    assert all(len(moved) == len(set(moved)) for moved in found), "no byte twice in one tile"

    weights = [c for c in loads if c.tensor == layer.weight_tensor]
    terms = {tuple(tile[d] for d in "GKC"): tile for tile in _tiles(mapping, size, "W")}
    taps = problem.taps
    assert [c.bytes for c in weights] == [
        len(t["G"]) * len(t["K"]) * (len(t["C"]) * taps + 8) for t in _tiles(mapping, size, "W")
    ]
    places = {c.transfers for c in weights}
    assert len(places) == len(terms), "one place per weight tile"
    assert sum(len(naive_bytes(p)) for p in places) == len({b for p in places for b in naive_bytes(p)})

    output = network.outputs[0]
    shape = network.tensor(output).shape
    stored = [naive_bytes(c.transfers) for c in program.commands if isinstance(c, StoreCommand) and c.tensor == output]
    flat = [byte for tile in stored for byte in tile]
    elements = network.tensor(output).elements
    assert sorted(flat) == list(range(addresses[output], addresses[output] + elements)), shape


@given(st.data())
@settings(max_examples=examples(80))
def test_every_sum_is_complete_once(data: st.DataObject) -> None:
    """Follow each partial sum through accumulators, spills and reloads."""
    network = data.draw(networks())
    problem, layer = _problem(network)
    mapping = data.draw(mappings(problem))
    assume(not check_mapping(problem, mapping, EDGE.core.array))
    program, _, _, _ = lowered(network, mapping)
    tiles = iter(list(iterations(mapping, problem.size)))
    slots: dict[int, dict[tuple[int, ...], int]] = {}
    dram: dict[int, dict[tuple[int, ...], int]] = {}
    finished: dict[tuple[int, ...], int] = {}
    macs = 0
    for command in program.commands:
        if isinstance(command, ComputeCommand):
            tile = next(tiles)[-1]
            sums = slots.setdefault(command.writes[0].tag, {})
            for element in output_elements(layer, tile):
                old = sums.get(element, 0)
                assert command.accumulate == (tile["C"].start > 0)
                assert old == tile["C"].start, "earlier channels are in the accumulator"
                sums[element] = old + len(tile["C"])
            assert len(sums) * 4 <= command.writes[0].size_bytes
            macs += command.macs
        elif isinstance(command, StoreCommand) and command.tensor.endswith("(sums)"):
            dram[command.transfers[0].address] = slots.pop(command.reads[0].tag)
        elif isinstance(command, LoadCommand) and command.tensor.endswith("(sums)"):
            slots[command.writes[0].tag] = dict(dram[command.transfers[0].address])
        elif isinstance(command, VectorCommand):
            for element, channels in slots.pop(command.reads[0].tag).items():
                assert channels == layer.dims.C
                finished[element] = finished.get(element, 0) + 1
            assert command.rows * command.row_elements * 4 == command.read_bytes[0]
    assert next(tiles, None) is None
    assert macs == layer.macs
    assert set(finished.values()) == {1}
    assert len(finished) == problem.output_elements(problem.size)


@given(st.data(), st.integers(0, 3))
@settings(max_examples=examples(60))
def test_any_order_of_events_is_safe(data: st.DataObject, seed: int) -> None:
    network = data.draw(networks())
    problem, _ = _problem(network)
    mapping = data.draw(mappings(problem))
    assume(not check_mapping(problem, mapping, EDGE.core.array))
    program, addresses, _, _ = lowered(network, mapping)
    Interpreter(program, _given(program, network, addresses), Random(seed)).run()


@given(st.data())
@settings(max_examples=examples(40))
def test_transfers_counted_by_the_mapping_are_those_lowered(data: st.DataObject) -> None:
    network = data.draw(networks())
    problem, layer = _problem(network)
    mapping = data.draw(mappings(problem))
    assume(not check_mapping(problem, mapping, EDGE.core.array))
    program, _, _, _ = lowered(network, mapping)
    loads = [c for c in program.commands if isinstance(c, LoadCommand)]
    single = all(loop.trips > 1 for loop in mapping.loops)  # a loop of one trip never steps
    if single:
        assert sum(c.tensor == layer.weight_tensor for c in loads) == mapping.transfers("W")
        assert sum(c.tensor == "x" for c in loads) <= mapping.transfers("I")


@pytest.mark.parametrize("weight_layout", ["kc", "ck"])
def test_attention_product_reads_both_operands_in_place(weight_layout: str) -> None:
    b = NetworkBuilder("case", "test")
    q = b.input("q", (1, 2, 5, 4))
    k = b.input("k", (1, 2, 6, 4) if weight_layout == "kc" else (1, 2, 4, 6))
    network = b.build(b.matmul(q, k, transpose_b=weight_layout == "kc"))
    problem, _ = _problem(network)
    loops = (TileLoop("G", 2, 1), TileLoop("K", 6, 4))
    mapping = Mapping("matmul", "core0", "ws", loops, (("I", 1), ("W", 2), ("O", 2)))
    assert not check_mapping(problem, mapping, EDGE.core.array)
    program, addresses, _, _ = lowered(network, mapping)
    loads = [c for c in program.commands if isinstance(c, LoadCommand) and c.tensor == "k"]
    wanted = []
    for g in range(2):
        for low, high in ((0, 4), (4, 6)):
            matrix = addresses["k"] + g * 24
            if weight_layout == "kc":
                wanted.append({matrix + row * 4 + c for row in range(low, high) for c in range(4)})
            else:
                wanted.append({matrix + c * 6 + row for row in range(low, high) for c in range(4)})
    assert [set(naive_bytes(c.transfers)) for c in loads] == wanted
    Interpreter(program, _given(program, network, addresses), Random(0)).run()
