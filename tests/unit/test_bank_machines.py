"""Machines with banks from description to result: what is refused, what a lowered pass says, what a run reports."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import tilewright as tw
from hw_models.banking.passes import PassClock
from hw_models.description import load_accelerator
from hw_models.layer_engine import engine_params
from mappers.command_file import program_data, program_from
from mappers.commands import ComputeCommand
from mappers.given import GivenPlan
from mappers.legality import check_mapping
from mappers.mapping import Mapping, TileLoop
from mappers.plan import make_plan
from sim.machine import run_program
from tests.property.test_buffers import problem_of
from tests.property.test_lower_mac import lowered, mappings, networks
from tests.reference.profile import examples
from workloads.builder import NetworkBuilder
from workloads.errors import InfeasibleError, InputError, InternalError
from workloads.network import Network

BANKED = ["core.input.banks.count=32", "core.input.banks.word=1B"]


def small(channels: int = 20) -> Network:
    b = NetworkBuilder("small", "test")
    return b.build(b.conv(b.input("x", (1, channels, 9, 9)), 40, 3, padding=1, name="conv"))


@pytest.mark.parametrize(
    ("preset", "overrides", "message"),
    [
        ("edge_int8", ["core.input.banks.count=48", "core.input.banks.word=1B"],
         "48 banks of 1-byte words do not divide a buffer of 131072 bytes, 32 bytes are left over"),
        ("edge_int8", ["core.input.banks.count=32", "core.input.banks.word=0B"], "word is 0 bytes, bound is >= 1"),
        ("edge_int8", ["core.input.banks.count=2048", "core.input.banks.word=1B"], "count is 2048, bound is 1..1024"),
        ("edge_int8", [*BANKED, "core.input.banks.ports=17"], "ports is 17, bound is 1..16"),
        ("edge_int8", ["core.input.banks.count=16", "core.input.banks.word=1B"],
         "banks take 16 bytes per cycle, channel 'dram0' delivers up to 32; add banks, ports or wider words"),
        ("edge_int8", ["core.weight.banks.count=32", "core.weight.banks.word=1B", "core.weight.banks.layout=planar"],
         "banks.layout is planar, bound is auto, output_last, output_first"),
        ("edge_int8", ["core.accumulator.banks.count=32", "core.accumulator.banks.word=2B"],
         "banks.word is 2 bytes, an element has 4; use a multiple"),
        ("edge_int8", ["core.input.banks.count=32"], "key 'word' is missing"),
        ("edge_int8", [*BANKED, "core.input.banks.spread=skew"], "did you mean 'skewed'"),
        ("edge_int8", ["core.vector.output_buffers=0"], "output_buffers"),
        ("edge_int8", ["core.vector.operand_buffers=4"], "operand_buffers is 4, bound is 1..3; use 1, 2 or 3"),
        ("eyeriss_v1", ["core.input.banks.count=2", "core.input.banks.word=2B", "core.input.banks.ports=16"],
         "this one is row_stationary"),
    ],
)  # fmt: skip
def test_what_is_refused(preset: str, overrides: list[str], message: str) -> None:
    with pytest.raises(InputError) as caught:
        load_accelerator(preset, overrides)
    assert message in str(caught.value)


def test_an_engine_refuses_what_it_is_not_built_for() -> None:
    banks = ["core.input.banks.count=8", "core.input.banks.word=1B"]
    with pytest.raises(InputError, match=r"scratchpads\.banks is set"):
        engine_params(load_accelerator("engine_8x8", banks))
    with pytest.raises(InputError, match=r"buffers is \[3, 2, 2, 2, 2\], built is 2"):
        engine_params(load_accelerator("engine_8x8", ["core.input.buffers=3"]))


@settings(max_examples=examples(40), deadline=None)
@given(st.data())
def test_a_pass_reads_the_tile_that_its_walk_names(data: st.DataObject) -> None:
    """The walk is what the RTL replays; it knows nothing of banks."""
    network = data.draw(networks())
    machine = load_accelerator("edge_int8", [*BANKED, "core.weight.banks.count=8", "core.weight.banks.word=4B"])
    problem = problem_of(network, machine)
    mapping = data.draw(mappings(problem))
    assume(not check_mapping(problem, mapping, machine.core.array))
    program, _, _, _ = lowered(network, mapping, machine)
    clock = PassClock(machine.core)
    for command in program.commands:
        if not isinstance(command, ComputeCommand):
            continue
        reads, walk = command.bank_reads, command.walk
        assert reads is not None
        assert walk is not None
        tile, first = reads.input.tile, reads.input.first
        assert (tile[0], tile[3], tile[4], tile[5]) == walk.tile
        if walk.tile[1] * walk.tile[2]:
            assert (first[0], first[3], first[4], first[5]) == walk.first
        assert (reads.input.pixels[0], *reads.input.pixels[2:]) == walk.pixels
        assert (reads.input.taps[1:], reads.input.stride[1:]) == (walk.taps, walk.stride)
        assert reads.input.dilation[1:] == walk.dilation
        assert reads.input.groups == reads.weight.groups == walk.groups
        assert reads.weight.tile[2:] == walk.weight_tile
        assert reads.weight.first[1:] == walk.weight_first
        assert (reads.weight.channels, reads.weight.outputs) == (walk.channels, walk.outputs)
        weights = next(slot for slot in command.reads if slot.memory == "weight")
        codes = reads.weight.tile[0] * reads.weight.tile[1] * reads.weight.tile[2] * reads.weight.tile[3]
        assert reads.weight.start_bytes + codes == weights.offset_bytes + weights.size_bytes
        assert clock.times(command.dataflow, reads).folds == command.job.folds
    assert run_program(program, machine).cycles > 0


def test_auto_is_no_slower_than_any_layout_on_its_own() -> None:
    """One layer, so that no other layer's prefetch hides or shows what the choice costs."""
    names = ("auto", "channel_last", "channel_last_padded", "planar", "planar_padded")
    times = {}
    for name in names:
        machine = load_accelerator("edge_int8", [*BANKED, f"core.input.banks.layout={name}", "core.dataflows=[ws]"])
        times[name] = run_program(make_plan(small(), machine).program, machine).cycles
    assert times["auto"] == min(times.values()) < max(times.values())


def test_a_run_says_which_layouts_it_took_and_what_conflicts_cost() -> None:
    plain = tw.simulate("tiny_ic", arch="edge_int8")
    banked = tw.simulate("tiny_ic", arch="edge_int8", overrides=[*BANKED, "core.input.banks.layout=auto"])
    assert "bank_conflict" not in plain.layers[0].stall_cycles
    waits = [layer.stall_cycles["bank_conflict"] for layer in banked.layers]
    assert sum(waits) > 0
    assert banked.totals.cycles > plain.totals.cycles
    layouts = [layer.mapping["layouts"]["input"] for layer in banked.layers if layer.mapping]
    assert all(len(chosen) == 1 for chosen in layouts)
    text = " ".join(banked.to_json()["not_modelled"])
    assert "the event model counts them" in text
    assert "state no banks: weight, accumulator" in text
    analytic = tw.simulate("tiny_ic", arch="edge_int8", overrides=BANKED, fidelity="analytic")
    assert "leave them out" in " ".join(analytic.to_json()["not_modelled"])


def test_a_padded_tile_that_does_not_fit_is_infeasible() -> None:
    sizes = ["core.input.half=2048B", "core.dataflows=[ws]", "core.input.banks.layout=channel_last_padded", *BANKED]
    b = NetworkBuilder("flat", "test")
    network = b.build(b.conv(b.input("x", (1, 8, 16, 16)), 8, 3, padding=1, name="conv"))
    whole = GivenPlan({"conv": (Mapping("conv", "core0", "ws", (), (("I", 0), ("W", 0), ("O", 0))),)}, {})
    with pytest.raises(InfeasibleError, match=r"capacity\[input\]") as caught:
        make_plan(network, load_accelerator("edge_int8", sizes), given=whole)
    assert caught.value.record.demand == 16 * (16 * 8 + 24)
    auto = load_accelerator("edge_int8", [*sizes, "core.input.banks.layout=auto"])
    assert run_program(make_plan(network, auto, given=whole).program, auto).cycles > 0


def test_commands_carry_their_reads_through_a_file_only_where_there_are_banks() -> None:
    for overrides in ([], BANKED):
        machine = load_accelerator("edge_int8", overrides)
        program = make_plan(small(), machine).program
        data = program_data(program)
        listed = [command for command in data["commands"] if command["engine"] == "array"]
        assert all(("bank_reads" in command) == bool(overrides) for command in listed)
        assert program_from(data, "test") == program


def test_commands_of_a_machine_without_banks_do_not_run_on_one_with() -> None:
    program = make_plan(small(), load_accelerator("edge_int8")).program
    with pytest.raises(InternalError, match="does not say what it reads from banks"):
        run_program(program, load_accelerator("edge_int8", BANKED))


@pytest.mark.parametrize(
    "overrides",
    [
        [*BANKED, "core.input.buffers=3", "core.weight.buffers=1"],
        ["dram.arbitration=priority", "dram.bandwidth=8B/cycle", "dram.beat=8B"],
        ["core.input.banks.count=16", "core.input.banks.word=4B", "core.input.banks.spread=skewed", "core.rows=8"],
    ],
)
def test_leaving_out_what_repeats_changes_nothing(overrides: list[str]) -> None:
    """A long layer of many equal tiles."""
    b = NetworkBuilder("long", "test")
    network = b.build(b.conv(b.input("x", (1, 32, 200, 10)), 32, (1, 3), name="conv"))
    machine = load_accelerator("edge_int8", overrides)
    rows = Mapping("conv", "core0", "ws", (TileLoop("OY", 200, 1),), (("I", 1), ("W", 0), ("O", 1)))
    program = make_plan(network, machine, given=GivenPlan({"conv": (rows,)}, {})).program
    ahead, full = (run_program(program, machine, fast_forward=fast) for fast in (True, False))
    assert (ahead.cycles, ahead.spans, ahead.conflicts) == (full.cycles, full.spans, full.conflicts)
    assert ahead.skipped > 0 == full.skipped


def test_sparse_arrays_wait_for_banks_and_enough_of_them_change_nothing() -> None:
    sparse = ["core.sparsity.n=2", "core.sparsity.m=4"]
    plenty = [
        f"core.{memory}.banks.{key}" for memory in ("input", "weight") for key in ("count=1024", "word=1B", "ports=16")
    ]
    few = ["core.input.banks.count=128", "core.input.banks.word=1B", "core.input.banks.layout=channel_last"]
    plain, free, waiting = (tw.simulate("lenet", overrides=[*sparse, *more]) for more in ([], plenty, few))
    assert free.totals.cycles == plain.totals.cycles < waiting.totals.cycles
    assert sum(layer.stall_cycles["bank_conflict"] for layer in free.layers) == 0
    assert sum(layer.stall_cycles["bank_conflict"] for layer in waiting.layers) > 0
    with pytest.raises(InputError, match=r"output_first, packed 2:4 weights lie output_last; use that or auto"):
        load_accelerator("edge_int8", [*sparse, *plenty, "core.weight.banks.layout=output_first"])
    with pytest.raises(InputError, match=r"counted for arrays with folds, this one is row_stationary, which runs in"):
        load_accelerator("eyeriss_v1", ["core.input.banks.count=32", "core.input.banks.word=1B"])
