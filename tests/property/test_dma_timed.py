"""Load and store engines, descriptors and requests on a DRAM with timing: every law, one by one by hand, skipping."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import simpy
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.accelerator import Accelerator
from hw_models.description import load_accelerator
from hw_models.dma import LOADED, Dma, LoadEngine
from hw_models.dram import TimedDram, load_standard
from mappers.commands import LoadCommand, Program, StoreCommand, Transfer
from sim.dram.memory import TimedChannel
from sim.machine import run_program
from sim.requests import descriptors_of, requests_of
from sim.result import LayerAnnotation
from sim.simulation import simulate
from tests.property.test_dma import assigned, cut
from tests.property.test_dram_machine import timed
from tests.reference.dram_cases import drams
from tests.reference.naive_machine import naive_beats
from tests.reference.profile import examples
from tests.reference.sim_programs import program_of, programs, small_machine, tile

DDR4 = TimedDram(load_standard("DDR4-2400"), 1)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Program, Accelerator]:
    dram = replace(draw(drams()), channels=draw(st.sampled_from([1, 1, 2])))
    parts: dict[str, Any] = draw(cut(dram.standard.burst_bytes))
    machine = small_machine(outstanding=draw(st.integers(1, 3)), issue=draw(st.integers(0, 2)), **parts)
    machine = replace(machine, clock_mhz=Fraction(draw(st.sampled_from([300, 400, 1700]))))
    program = replace(draw(programs(("ws", "os"))), dram_bytes=64)  # the toy memories wrap
    return assigned(program, machine.core.dma), timed(machine, dram, draw(st.integers(0, 5)))


@settings(max_examples=examples(25), deadline=None)
@given(cases())
def test_every_law_holds_and_skipping_changes_no_time(case: tuple[Program, Accelerator]) -> None:
    program, accelerator = case
    notes = [LayerAnnotation(None, None, None, None, "core0")] * len(program.layers)
    result, run = simulate(program, accelerator, {}, notes, {}, [], keep_run=True)
    assert all(check.ok for check in result.checks)
    stepped = run_program(program, accelerator, fast_forward=False)
    assert (stepped.spans, stepped.bus, stepped.dram) == (run.spans, run.bus, run.dram)


@settings(max_examples=examples(25), deadline=None)
@given(cases())
def test_the_bursts_of_every_command_are_counted_once(case: tuple[Program, Accelerator]) -> None:
    """Whatever engine and however many requests: the controller's bursts are those of the descriptors, by command."""
    program, accelerator = case
    run, dma = run_program(program, accelerator), accelerator.core.dma
    assert run.dram is not None
    size = accelerator.dram.beat_bytes
    for way, kind in enumerate((LoadCommand, StoreCommand)):
        for engine in range(dma.streams):
            own = [c for c in program.commands if isinstance(c, kind) and c.dma == engine]
            moved = [bursts for bursts, _ in run.dram.commands[2 * engine + way]]
            assert moved == [naive_beats(command, size) for command in own]  # type: ignore[arg-type]
    activates = sum(n for stream in run.dram.commands for _, n in stream)
    assert activates <= run.dram.total.activates


def test_requests_without_limits_change_nothing_where_a_command_is_one_run() -> None:
    plain = program_of([[tile(runs=1, run_bytes=64, pitch=64)], [tile(runs=1, run_bytes=192, pitch=192)]])
    whole = run_program(plain, timed(small_machine(), DDR4, 3))
    cut_up = run_program(plain, timed(small_machine(descriptor_dimensions=8), DDR4, 3))
    assert whole.spans == cut_up.spans and whole.dram == cut_up.dram


def test_one_request_in_flight_is_one_read_after_the_other() -> None:
    """Eight bursts of one load, each asked for when the one before has come: the memory is asked directly."""
    plain = program_of([[tile(runs=1, run_bytes=64, pitch=64)]])
    load = replace(plain.commands[0], transfers=(Transfer(0, 512),))
    program = replace(plain, commands=(load, *plain.commands[1:]))

    def end(**parts: Any) -> int:
        return run_program(program, timed(small_machine(issue=1, **parts), DDR4, 0)).spans[0].end

    env = simpy.Environment()
    channel = TimedChannel(env, DDR4, Fraction(400))
    ends: list[int] = []

    def ask(burst: int) -> None:
        def came(cycle: int) -> None:
            ends.append(cycle)
            if burst < 7:
                ask(burst + 1)

        channel.submit(0, max(1, int(env.now)) + 1, (Transfer(64 * burst, 64),), lambda _: None, came)

    ask(0)
    env.run(until=10_000)
    assert end(max_burst_bytes=64, requests=1) == ends[-1]
    assert end() <= end(max_burst_bytes=64, requests=4) < end(max_burst_bytes=64, requests=1)
    late = end(descriptor_dimensions=1, descriptor_cycles=9)
    assert late == end() + 9, "one descriptor, set up before its first request"


@settings(max_examples=examples(40), deadline=None)
@given(st.integers(0, 4096), st.integers(1, 700), st.sampled_from([64, 128, 256]))
def test_cuts_at_bursts_cost_no_burst(address: int, size: int, most: int) -> None:
    made = [r for d in descriptors_of(Transfer(address, size), 1) for r in requests_of(d, most)]
    first, last = address // 64, (address + size - 1) // 64
    assert [b for r in made for b in range(r.address // 64, (r.address + r.bytes - 1) // 64 + 1)] == [
        *range(first, last + 1)
    ]


def test_several_store_engines_finish_a_store_bound_layer_sooner() -> None:
    """Stores of one engine wait for each other's response where one may be in flight; two engines overlap them."""
    plain = program_of([[tile()] for _ in range(6)])
    loads = (LoadEngine("all", LOADED, 8),)
    one, two = (small_machine(latency=40, outstanding=1, engines=loads, store_engines=n) for n in (1, 2))
    ends = [run_program(assigned(plain, m.core.dma), m).cycles for m in (one, two)]
    assert ends[1] < ends[0]


def test_a_preset_with_timing_takes_the_keys() -> None:
    keys = ["dma.requests=4", "dma.max_burst=256B", "dma.descriptor_dimensions=2", "dma.store_engines=2"]
    dma = load_accelerator("edge_ddr4", keys).core.dma
    assert isinstance(dma, Dma) and (dma.requests, dma.store_engines, dma.streams, dma.store_slots) == (
        4, 2, 2, 2 * dma.outstanding,
    )  # fmt: skip
