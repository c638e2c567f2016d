"""Single, double and triple buffering: every program keeps its slots, bounds hold, and room never costs time."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hw_models.accelerator import Accelerator
from hw_models.description import load_accelerator
from mappers.dram_layout import make_layout
from mappers.given import price
from mappers.group import make_groups
from mappers.legality import check_mapping
from mappers.plan import make_problem
from mappers.problem import TileProblem
from sim.machine import run_program
from sim.result import LayerAnnotation
from sim.simulation import simulate
from tests.property.test_lower_mac import lowered, mappings, networks
from tests.reference.profile import examples
from workloads.mac_layers import MacLayer
from workloads.network import Network

NAMES = ("input", "weight", "accumulator", "operand", "output")


def edge() -> Accelerator:
    """Return a narrow machine, so that small layers keep loads, array, vector unit and stores busy."""
    return load_accelerator(
        "edge_int8",
        ["core.rows=4", "core.cols=4", "core.lanes=4", "dram.bandwidth=4B/cycle", "dram.beat=4B", "dram.burst=8B",
         "dram.latency=6cycles"],
    )  # fmt: skip


def buffered(machine: Accelerator, buffers: dict[str, int]) -> Accelerator:
    """Return `machine` with so many buffers of each memory."""
    core = machine.core
    pads = {name: replace(getattr(core, name), halves=buffers[name]) for name in NAMES[:3]}
    vector = replace(core.vector, operand_buffers=buffers["operand"], output_buffers=buffers["output"])
    return replace(machine, core=replace(core, vector=vector, **pads))


def problem_of(network: Network, machine: Accelerator) -> TileProblem:
    """Return the tiling problem of the one MAC group of `network`."""
    layout = make_layout(network, 1)
    (group,) = make_groups(network, layout, machine.core)
    assert isinstance(group.lead, MacLayer)
    return make_problem(layout, group, group.lead, machine)


some_buffers = st.fixed_dictionaries({name: st.integers(1, 3) for name in NAMES})


@settings(max_examples=examples(30), deadline=None)
@given(st.data(), some_buffers)
def test_laws_and_bounds_hold_with_any_number_of_buffers(data: st.DataObject, buffers: dict[str, int]) -> None:
    network = data.draw(networks())
    machine = buffered(edge(), buffers)
    problem = problem_of(network, machine)
    mapping = data.draw(mappings(problem))
    assume(not check_mapping(problem, mapping, machine.core.array))
    program, _, _, problem = lowered(network, mapping, machine)
    notes = [LayerAnnotation(None, None, None, None, "core0")] * len(program.layers)
    result, run = simulate(program, machine, {}, notes, {}, [], keep_run=True)
    found = price(problem, machine, mapping, "latency")
    assert run.cycles >= found.latency_cycles
    used: dict[str, set[int]] = {}
    for command in program.commands:
        for slot in command.writes:
            used.setdefault(slot.memory, set()).add(slot.half)
    assert all(halves <= set(range(buffers[memory])) for memory, halves in used.items())
    assert all(check.ok for check in result.checks)


@settings(max_examples=examples(40), deadline=None)
@given(st.data(), some_buffers, st.sampled_from(NAMES))
def test_one_buffer_more_is_never_slower(data: st.DataObject, buffers: dict[str, int], grown: str) -> None:
    assume(buffers[grown] < 3)
    network = data.draw(networks())
    few, more = buffered(edge(), buffers), buffered(edge(), buffers | {grown: buffers[grown] + 1})
    problem = problem_of(network, few)
    mapping = data.draw(mappings(problem))
    assume(not check_mapping(problem, mapping, few.core.array))
    runs = [run_program(lowered(network, mapping, machine)[0], machine) for machine in (few, more)]
    assert runs[1].cycles <= runs[0].cycles
