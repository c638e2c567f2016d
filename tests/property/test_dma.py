"""DMA engines side by side, descriptors and requests, against the cycle-stepped twin and on lowered layers."""

from __future__ import annotations

from dataclasses import astuple, replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hw_models.accelerator import Accelerator
from hw_models.description import load_accelerator
from hw_models.dma import Dma, Host, LoadEngine
from hw_models.layer_engine import engine_params
from hw_models.link import Link
from mappers.analytic import bounds
from mappers.commands import LoadCommand, Program, StoreCommand, Transfer
from mappers.legality import check_mapping
from mappers.plan import make_plan
from sim.machine import run_program
from sim.requests import descriptors_of, requests_of
from sim.result import LayerAnnotation
from sim.simulation import simulate
from tests.property.test_buffers import edge, problem_of
from tests.property.test_lower_mac import lowered, mappings, networks
from tests.reference.naive_machine import naive_beats, naive_requests, naive_times
from tests.reference.naive_program_check import naive_bytes
from tests.reference.profile import examples
from tests.reference.sim_programs import own_clocks, program_of, programs, small_machine, tile
from workloads.builder import NetworkBuilder
from workloads.errors import InputError

SPLITS = (
    (),
    (("weight",), ("input", "accumulator", "operand")),
    (("input", "operand"), ("weight", "accumulator")),
    (("weight",), ("operand",), ("input", "accumulator")),
)


@st.composite
def cut(draw: st.DrawFn, beat: int) -> dict[str, Any]:
    """Return the parts of a DMA that differ from one engine that moves commands whole."""
    split = draw(st.sampled_from(SPLITS))
    engines = tuple(LoadEngine(f"e{n}", serves, draw(st.integers(1, 2))) for n, serves in enumerate(split))
    host = draw(st.none() | st.builds(Host, st.integers(0, 12), st.integers(1, 3)))
    stores = draw(st.sampled_from([1, 1, 2, 3]))
    if draw(st.integers(0, 3)) == 0:
        return {"engines": engines, "host": host, "store_engines": stores}
    return {
        "store_engines": stores,
        "engines": engines,
        "host": host,
        "max_burst_bytes": draw(st.none() | st.sampled_from([beat, 2 * beat, 3 * beat])),
        "requests": draw(st.none() | st.integers(1, 3)),
        "descriptor_dimensions": draw(st.none() | st.integers(1, 3)),
        "descriptor_cycles": draw(st.integers(0, 5)),
    }


def assigned(program: Program, dma: Dma) -> Program:
    """Return `program` with every load on the engine that serves its memory, and stores on theirs in turn."""
    made, stores = [], 0
    for command in program.commands:
        if isinstance(command, LoadCommand):
            command = replace(command, dma=dma.engine_of(command.writes[0].memory))
        elif isinstance(command, StoreCommand):
            command, stores = replace(command, dma=stores % dma.store_engines), stores + 1
        made.append(command)
    return replace(program, commands=tuple(made))


@st.composite
def cases(draw: st.DrawFn) -> tuple[Program, Accelerator]:
    beat = draw(st.sampled_from([1, 4, 8]))
    machine = small_machine(
        bandwidth=Fraction(draw(st.integers(1, 40)), draw(st.integers(1, 7))), beat=beat,
        latency=draw(st.integers(0, 9)), bursts=draw(st.integers(1, 3)), outstanding=draw(st.integers(1, 3)),
        issue=draw(st.integers(0, 2)), arbitration=draw(st.sampled_from(["round_robin", "priority"])),
        dram_clock=draw(own_clocks()), vector_clock=draw(own_clocks()),
        link=draw(st.none() | st.builds(Link, st.integers(1, 12), st.integers(0, 4), own_clocks())), **draw(cut(beat)),
    )  # fmt: skip
    return assigned(draw(programs(("ws", "os"))), machine.core.dma), machine


@settings(max_examples=examples(60), deadline=None)
@given(cases())
def test_every_time_equals_the_stepped_twin(case: tuple[Program, Accelerator]) -> None:
    program, machine = case
    run = run_program(program, machine)
    assert [astuple(span)[:6] for span in run.spans] == naive_times(program, machine)


@settings(max_examples=examples(30), deadline=None)
@given(st.data(), cut(4))
def test_lowered_layers_keep_every_law(data: st.DataObject, parts: dict[str, Any]) -> None:
    network = data.draw(networks())
    machine = edge()
    machine = replace(machine, core=replace(machine.core, dma=Dma(2, 1, **parts)))
    problem = problem_of(network, machine)
    mapping = data.draw(mappings(problem))
    assume(not check_mapping(problem, mapping, machine.core.array))
    program, _, _, _ = lowered(network, mapping, machine)
    notes = [LayerAnnotation(None, None, None, None, "core0")] * len(program.layers)
    result = simulate(program, machine, {}, notes, {}, [])
    assert sum(group.analytic_cycles for group in bounds(program, machine)) <= result.totals.cycles
    assert any(c.dma for c in program.commands if isinstance(c, LoadCommand)) <= (len(parts["engines"]) > 1)


transfers = st.builds(
    lambda address, run, loops: Transfer(address, run, tuple(n for n, _ in loops), tuple(p for _, p in loops)),
    st.integers(0, 99), st.integers(1, 70), st.lists(st.tuples(st.integers(1, 4), st.integers(0, 90)), max_size=3),
)  # fmt: skip


@settings(max_examples=examples(100), deadline=None)
@given(transfers, st.none() | st.integers(1, 5), st.none() | st.integers(1, 40))
def test_descriptors_and_requests_move_the_same_bytes_in_order(
    transfer: Transfer, dimensions: int | None, burst: int | None
) -> None:
    made = [requests_of(d, burst) for d in descriptors_of(transfer, dimensions)]
    command = LoadCommand(0, (), (), (), (), "x", (transfer,))
    dma = Dma(1, 0, max_burst_bytes=burst, descriptor_dimensions=dimensions)
    assert [[(r.address, r.bytes) for r in part] for part in made] == naive_requests(command, dma)
    assert [b for part in made for b in naive_bytes(tuple(part))] == list(naive_bytes((transfer,)))
    if burst is not None:  # a cut where beats start anyway costs no beat
        whole = naive_beats(command, burst)
        assert sum(len(part) for part in made) == whole


def test_one_request_in_flight_takes_a_latency_each() -> None:
    """Four bursts of two beats: each is asked for when the one before has arrived."""
    plain = program_of([[tile(runs=1, run_bytes=64, pitch=64)]])
    load = replace(plain.commands[0], transfers=(Transfer(0, 64),))
    program = replace(plain, commands=(load, *plain.commands[1:]))
    times = {
        limit: run_program(program, small_machine(latency=5, issue=1, max_burst_bytes=16, requests=limit)).spans[0]
        for limit in (1, 2, 4)
    }
    # issue at 1, first beat 5 later, two beats each
    assert times[1].end == 1 + 4 * (5 + 2)
    # the third is sent at 8, when the first has arrived, and the fourth at 10: beats at 6..10 and 13..17
    assert times[2].end == 17
    assert times[4].end == 1 + 5 + 8


@pytest.mark.parametrize(
    ("preset", "overrides", "message"),
    [
        ("edge_int8", ["dma.max_burst=48B"], "max_burst is 48 bytes, not a multiple of dram.beat (32)"),
        ("edge_int8", ["dma.requests=0"], "dma.requests: value is 0"),
        ("edge_int8", ["dma.descriptor_dimensions=9"], "descriptor_dimensions is 9, bound is 1..8"),
        ("edge_int8", ["dma.descriptor=2s"], "has no unit|unit"),
        ("edge_int8", ["dma.host.interval=4cycles", "dma.host.depth=0"], "dma.host.depth: value is 0"),
        ("edge_ddr4", ["dma.max_burst=96B"], "max_burst is 96 bytes, not a multiple of dram.beat (64)"),
        ("edge_int8", ["dma.store_engines=99"], "store_engines is 99, bound is 1..4"),
    ],
)
def test_what_is_refused(preset: str, overrides: list[str], message: str) -> None:
    with pytest.raises(InputError) as caught:
        load_accelerator(preset, overrides)
    assert any(part in str(caught.value) for part in message.split("|"))


def test_engines_must_serve_every_memory_once() -> None:
    for serves, message in (
        ((("weight",), ("input",)), "each of input, weight, accumulator, operand must be served by one engine"),
        ((("weight", "input"), ("input", "accumulator", "operand")), "must be served by one engine"),
        ((("weight", "input", "accumulator", "operand"),) * 2, "must be served by one engine"),
    ):
        with pytest.raises(InputError, match=message):
            Dma(1, 1, tuple(LoadEngine(f"e{n}", s, 1) for n, s in enumerate(serves)))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="given twice"):
        Dma(1, 1, (LoadEngine("a", ("weight", "input"), 1), LoadEngine("a", ("accumulator", "operand"), 1)))
    with pytest.raises(InputError, match="dma is cut up, built is one load and one store engine"):
        engine_params(load_accelerator("engine_8x8", ["dma.requests=4"]))


def test_weights_may_overtake_an_input_that_waits_for_a_store() -> None:
    """Two layers in DRAM: the input of the second waits for stores of the first, its weights need not."""
    b = NetworkBuilder("two", "test")
    x = b.conv(b.input("x", (1, 32, 14, 14)), 64, 3, padding=1, name="one")
    network = b.build(b.conv(x, 96, 3, padding=1, name="two"))
    one = load_accelerator("edge_int8")
    both = (LoadEngine("w", ("weight",), 4), LoadEngine("d", ("input", "accumulator", "operand"), 4))
    two = replace(one, core=replace(one.core, dma=Dma(4, 1, both)))
    runs = [run_program(make_plan(network, m, keep_on_chip=False).program, m) for m in (one, two)]
    assert runs[1].cycles <= runs[0].cycles


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["core.link.width=0B/cycle", "core.link.delay=1cycle"], "width"),
        (
            ["core.link.width=16B/cycle", "core.link.delay=2000000cycles"],
            "latency is 2000000 cycles, bound is 0..1048576",
        ),
        (["dram.arbitration=fair"], "bound is round_robin, priority"),
    ],
)
def test_links_and_arbitration_are_checked(overrides: list[str], message: str) -> None:
    with pytest.raises(InputError) as caught:
        load_accelerator("edge_int8", overrides)
    assert message in str(caught.value)
    with pytest.raises(InputError, match=r"'arbitration' follows from dram\.standard"):
        load_accelerator("edge_ddr4", ["dram.arbitration=priority"])
    with pytest.raises(InputError, match="link is set, built is an AXI port"):
        engine_params(load_accelerator("engine_8x8", ["core.link.width=8B/cycle", "core.link.delay=1cycle"]))


def test_a_narrow_link_binds_and_a_wide_one_only_delays() -> None:
    plain = program_of([[tile(runs=1, run_bytes=64, pitch=64)]])
    load = replace(plain.commands[0], transfers=(Transfer(0, 64),))
    program = replace(plain, commands=(load, *plain.commands[1:]))
    ends = [
        run_program(program, small_machine(latency=5, issue=1, link=link)).spans[0].end
        for link in (None, Link(64, 0), Link(64, 3), Link(2, 3))
    ]
    # 8 beats of 8 bytes from cycle 6 on; 64 bytes at 2 per cycle take 32
    assert ends == [14, 14, 17, 6 + 32 + 3]
