"""The latency of a found mapping is a bound of the event model, and its traffic is what the lowered commands move."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.accelerator import Accelerator
from hw_models.clock import own_clock
from hw_models.description import load_accelerator
from mappers.commands import LoadCommand, StoreCommand
from mappers.plan import make_plan
from sim.machine import run_program
from tests.reference.profile import examples
from workloads.builder import NetworkBuilder
from workloads.network import Network

EDGE = load_accelerator("edge_int8")


@st.composite
def layers(draw: st.DrawFn) -> Network:
    """One convolution or matrix product."""
    b = NetworkBuilder("one", "test")
    if draw(st.booleans()):
        x = b.input("x", (draw(st.integers(1, 40)), draw(st.integers(1, 200))))
        return b.build(b.linear(x, draw(st.integers(1, 150)), name="fc"))
    groups = draw(st.sampled_from((1, 1, 2, 4)))
    channels, size = groups * draw(st.integers(1, 24)), draw(st.integers(5, 18))
    x = b.input("x", (draw(st.integers(1, 2)), channels, size, size))
    kernel = draw(st.sampled_from((1, 3, 5)))
    return b.build(
        b.conv(
            x,
            groups * draw(st.integers(1, 40)),
            kernel,
            stride=draw(st.integers(1, 2)),
            padding=draw(st.integers(0, kernel // 2)),
            groups=groups,
            name="conv",
        )
    )


@st.composite
def accelerators(draw: st.DrawFn) -> Accelerator:
    """The reference machine with small memories and a slower or faster channel."""
    core = EDGE.core
    dram = replace(
        EDGE.dram,
        bytes_per_cycle=Fraction(draw(st.sampled_from((2, 8, 32))), draw(st.sampled_from((1, 3)))),
        latency_cycles=draw(st.sampled_from((0, 1, 40, 200))),
    )
    bus, lanes = (draw(st.sampled_from((None, None, 150, 933))) for _ in range(2))
    if bus is not None:
        clock = own_clock("bus", Fraction(bus), EDGE.clock_mhz)
        own = dram.latency_cycles
        dram = replace(dram, clock=clock, own_latency_cycles=own, latency_cycles=clock.least(own))
    vector = core.vector
    if lanes is not None:
        vector = replace(vector, clock=own_clock("lanes", Fraction(lanes), EDGE.clock_mhz))
    pads = {
        name: replace(getattr(core, name), half_bytes=draw(st.sampled_from((4, 16, 64))) * 1024)
        for name in ("input", "weight", "accumulator")
    }
    array = replace(core.array, dataflows=draw(st.sampled_from((("ws",), ("os",), ("ws", "os")))))
    dma = replace(core.dma, outstanding=draw(st.integers(1, 4)), issue_cycles=draw(st.integers(0, 2)))
    return replace(EDGE, dram=dram, core=replace(core, array=array, vector=vector, dma=dma, **pads))


@settings(max_examples=examples(120))
@given(network=layers(), accelerator=accelerators(), objective=st.sampled_from(("latency", "energy", "edp")))
def test_bound_and_bytes_of_one_layer(network: Network, accelerator: Accelerator, objective: str) -> None:
    plan = make_plan(network, accelerator, objective)  # type: ignore[arg-type]
    (group,) = plan.groups
    (part,) = group.parts
    run = run_program(plan.program, accelerator)
    assert part.found.latency_cycles <= run.cycles
    moved = [command for command in plan.program.commands if isinstance(command, LoadCommand | StoreCommand)]
    assert sum(command.bytes for command in moved) == part.found.dram_bytes
