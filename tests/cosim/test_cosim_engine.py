"""The layer engine: command lists on RTL, every byte and every cycle as the models say, drawn and real networks."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hw_models.description import load_accelerator
from hw_models.layer_engine import engine_params
from mappers.plan import make_plan
from rtl.engine_run import access_engine, run_engine
from rtl.engine_top import bench_sources
from sim.machine import run_program
from tests.reference.profile import NIGHTLY, examples
from tilewright.cli import run
from tilewright.digits import load_digits
from tilewright.engine_case import EngineCase, engine_case
from tilewright.engine_draw import draw_cases
from tilewright.sources import load_workload
from workloads.builder import NetworkBuilder
from workloads.network import Network

pytestmark = pytest.mark.cosim

SEEDS = range(10)
SHORT_CYCLES = 800  # of a drawn network outside the nightly profile
OKAY, SLVERR = 0, 2


def machine_cases(seed: int, count: int) -> list[EngineCase]:
    """Return drawn networks on the preset."""
    return list(islice(draw_cases(seed, load_accelerator("engine_8x8")), count))


@pytest.mark.parametrize("seed", SEEDS)
def test_drawn_machines_networks_and_mappings_agree(seed: int) -> None:
    short = (case for case in draw_cases(100 + seed) if NIGHTLY or case.predicted_cycles <= SHORT_CYCLES)
    for case in islice(short, examples(3)):
        (outcome,) = run_engine(case.params, [case.run()])
        assert (outcome.cycles, outcome.error) == (case.predicted_cycles, 0), case.params
        assert case.wrong(outcome.memory) == 0, case.params


def test_predicted_cycles_are_those_of_the_event_model() -> None:
    for case in machine_cases(1, 2):
        assert case.predicted_cycles == run_program(case.program, case.accelerator).cycles


def test_layers_follow_without_reset_in_any_order() -> None:
    cases = machine_cases(2, examples(5))
    order = [*cases, *reversed(cases)]
    largest = max(case.run().image.size for case in cases)  # type: ignore[union-attr]
    outcomes = run_engine(cases[0].params, [case.run() for case in order], memory_bytes=largest)
    assert all(case.agrees(outcome) for case, outcome in zip(order, outcomes, strict=True))


def test_reset_in_the_middle_of_a_run() -> None:
    case = machine_cases(3, 1)[0]
    places = (3, 60, 150, 280)
    assert max(places) < case.predicted_cycles
    outcomes = run_engine(case.params, [case.run(reset_after_cycles=after) for after in places])
    assert [case.agrees(outcome) for outcome in outcomes] == [True] * len(places)


def test_second_start_in_the_first_idle_cycles() -> None:
    case = machine_cases(3, 1)[0]
    first = case.predicted_cycles - 8
    runs = [case.run(again_after_cycles=first + phase) for phase in range(8)]
    assert all(case.agrees(outcome) for outcome in run_engine(case.params, runs))


def test_back_pressure_changes_no_value() -> None:
    cases = machine_cases(4, examples(3))
    largest = max(case.run().image.size for case in cases)  # type: ignore[union-attr]
    outcomes = run_engine(cases[0].params, [case.run(disturb=True) for case in cases], memory_bytes=largest)
    assert [case.wrong(outcome.memory) for case, outcome in zip(cases, outcomes, strict=True)] == [0] * len(cases)
    assert all(outcome.cycles > case.predicted_cycles for case, outcome in zip(cases, outcomes, strict=True))


def test_error_responses_are_told_and_forgotten_at_the_next_start() -> None:
    case = machine_cases(5, 1)[0]
    runs = [case.run(error_from=0), case.run(), case.run(error_from=case.program.dram_bytes // 2)]
    both, clean, some = run_engine(case.params, runs)
    assert both.error == 3  # reads and writes
    assert case.agrees(clean)
    assert some.error
    assert both.cycles == some.cycles == case.predicted_cycles  # an error does not hang the engine


def test_control_port_refuses_what_it_does_not_have() -> None:
    params = engine_params(load_accelerator("engine_8x8"))
    command = 0x40000 | 2 << 16 | 511 << 7 | 19 << 2
    answers = access_engine(
        params,
        [
            (False, 0x20, 0),  # identity
            (False, 0x00, 0),
            (True, 0x10, 7),
            (False, 0x10, 0),
            (True, 0x04, 1),  # the cycle counter is not written
            (False, 0x24, 0),
            (True, 0x100, 1),
            (True, command, 5),
            (False, command, 0),  # command memory is not read
        ],
    )
    assert answers == [
        (8 << 16 | 8 << 8 | 8, OKAY), (0, OKAY), (0, OKAY), (7, OKAY), (0, SLVERR), (answers[5][0], SLVERR),
        (0, SLVERR), (0, OKAY), (answers[8][0], SLVERR),
    ]  # fmt: skip


def network_case(network: Network, *overrides: str, seed: int = 0) -> EngineCase:
    """Return a case of `network` on the preset, changed."""
    return engine_case(make_plan(network, load_accelerator("engine_8x8", list(overrides))), seed)


def test_matrix_product_behind_a_flattened_image() -> None:
    for batch, side in ((1, 4), (3, 2)):
        b = NetworkBuilder("flat", "test")
        x = b.conv(b.input("x", (batch, 3, side, side)), 6, 3, padding=1)
        case = network_case(b.build(b.linear(b.flatten(x), 7)))
        (outcome,) = run_engine(case.params, [case.run()])
        assert case.agrees(outcome)


def test_many_single_beat_stores_with_late_answers() -> None:
    b = NetworkBuilder("stores", "test")
    network = b.build(b.conv(b.input("x", (1, 4, 12, 12)), 16, 1))
    for latency in ("1cycle", "300cycles"):
        case = network_case(network, f"dram.latency={latency}", "core.output_half=512B", "energy.allow_default=true")
        plain, disturbed = run_engine(case.params, [case.run(), case.run(disturb=True)])
        assert case.agrees(plain)
        assert case.wrong(disturbed.memory) == 0


def test_extremes_of_the_vector_unit() -> None:
    b = NetworkBuilder("ends", "test")
    case = network_case(b.build(b.global_avg_pool(b.conv(b.input("x", (1, 2, 4, 4)), 8, 1, name="c"))))
    layer = case.constants["c"]
    for shift, bias, multiplier in ((59, -(1 << 31), (1 << 24) - 1), (0, (1 << 31) - 1, 1), (1, 5, 1)):
        ends = replace(
            layer,
            shift=np.full(8, shift),
            bias=np.full(8, bias),
            multiplier=np.full(8, multiplier),
            mean_multiplier=(1 << 16) // 16 + 99,
        )
        trial = replace(case, constants={"c": ends})
        (outcome,) = run_engine(trial.params, [trial.run()])
        assert trial.agrees(outcome)


def digits_cases(images: slice, arch: str = "engine_8x8", *overrides: str) -> list[EngineCase]:
    """Return the digits network on a preset, changed, one case per image; all share one command list."""
    trained = load_digits()
    plan = make_plan(load_workload("digits", {}).network, load_accelerator(arch, list(overrides)))
    return [
        engine_case(plan, constants=trained.constants, inputs={"image": image[None]})
        for image in trained.images[images]
    ]


def classes(case: EngineCase, memory: Any) -> int:
    """Return the class that the memory holds after a run."""
    from rtl.engine_image import read_tensor

    scores = read_tensor(memory, case.layout.views[case.groups[-1].output], case.addresses)
    return int(scores.argmax())


def test_trained_network_keeps_its_accuracy_in_integers() -> None:
    assert (right_digits("engine_8x8"), load_digits().float_right) == (127, 127)


def right_digits(arch: str, *overrides: str) -> int:
    """Return how many of the 128 test images the golden run of a machine gets right."""
    trained = load_digits()
    plan = make_plan(load_workload("digits", {"batch": 128}).network, load_accelerator(arch, list(overrides)))
    case = engine_case(plan, constants=trained.constants, inputs={"image": trained.images})
    scores = case.golden()[case.groups[-1].output]
    return int((scores.argmax(axis=1) == trained.labels).sum())


PRUNED = {"3:4": (("core.sparsity.n=3",), 126), "2:4": ((), 111), "1:4": (("core.sparsity.n=1",), 17)}


@pytest.mark.parametrize("pattern", PRUNED)
def test_what_pruning_without_training_costs_is_what_the_page_says(pattern: str) -> None:
    overrides, right = PRUNED[pattern]
    assert right_digits("engine_8x8_nm", *overrides) == right
    page = (Path(__file__).parents[2] / "docs" / "layer_engine.md").read_text(encoding="utf-8")
    cycles = digits_cases(slice(0, 1), "engine_8x8_nm", *overrides)[0].predicted_cycles
    assert f"| {pattern} | {right} | {cycles:,} |" in page


NIGHTLY_DIGITS = [
    ("verilator", 128, "engine_8x8"),
    ("verilator", 128, "engine_8x8_nm"),
    ("verilator", 128, "engine_8x8_nm", "core.sparsity.n=1"),
    ("verilator", 128, "engine_8x8", "core.dataflows=[is]"),
    ("verilator", 128, "engine_8x8", "core.dataflows=[ws, os, is]"),
]


@pytest.mark.parametrize(
    "how", [("icarus", 1, "engine_8x8"), *(pytest.param(how, marks=pytest.mark.nightly) for how in NIGHTLY_DIGITS)]
)
def test_digits_on_the_engine(how: tuple[Any, ...]) -> None:
    simulator, count, *machine = how
    cases = digits_cases(slice(0, count), *machine)
    outcomes = run_engine(cases[0].params, [case.run() for case in cases], simulator)
    for case, outcome in zip(cases, outcomes, strict=True):
        assert case.agrees(outcome)
        golden = case.golden()[case.groups[-1].output]
        assert classes(case, outcome.memory) == int(np.argmax(golden))


def test_command_list_of_resnet8_from_map_to_rtl(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, report = tmp_path / "ic.json", tmp_path / "verify.json"
    assert run(["map", "tiny_ic", "--arch", "engine_8x8", "--commands", str(file)]) == 0
    assert run(["verify", str(file), "--simulator", "verilator", "-o", str(report)]) == 0
    rows = json.loads(report.read_text(encoding="utf-8"))["cores"]
    assert [(row["value_errors"], row["cycle_difference"]) for row in rows] == [(0, 0), (0, None)]
    assert rows[0]["rtl_cycles"] == json.loads(file.read_text(encoding="utf-8"))["cycles"]
    capsys.readouterr()


def test_rtl_of_the_preset_is_a_directory_that_compiles(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import subprocess

    assert run(["rtl", "engine_8x8", "-o", str(tmp_path)]) == 0
    capsys.readouterr()
    folder = tmp_path / "layer_engine_8x8_int8"
    name = "layer_engine_8x8_int8"
    words = ["iverilog", "-g2012", "-t", "null", "-s", name, "-f", f"{name}.f"]
    assert subprocess.run(words, cwd=folder, capture_output=True, check=False).returncode == 0


def test_output_stationary_job_reads_a_beat_that_is_just_being_written() -> None:
    b = NetworkBuilder("beat", "test")
    network = b.build(b.linear(b.input("x", (2, 5)), 3))
    wide = ("core.dataflows=[os]", "dram.beat=32B", "dram.bandwidth=32B/cycle", "dram.burst=128B")
    case = network_case(network, *wide)
    (outcome,) = run_engine(case.params, [case.run()])
    assert case.agrees(outcome)
    sources = bench_sources(case.params, -(-case.program.dram_bytes // 32))
    sources["layer_engine.sv"] = sources["layer_engine.sv"].replace(".THROUGH (OUTPUT_STATIONARY)", ".THROUGH (0)")
    (stale,) = run_engine(case.params, [case.run()], sources=sources)
    assert case.wrong(stale.memory)
