"""Layer engine: what it is built for, the arithmetic of its vector unit, its command words and command files."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hw_models.description import load_accelerator
from hw_models.layer_engine import LayerConstants, convolve, engine_params, pool, requantise, rounded_shift
from mappers.command_file import program_data, program_digest, program_from
from mappers.plan import Plan, make_plan
from rtl.engine_words import encode, vector_functions
from rtl.engine_words_is import pair
from tilewright.cli import run
from tilewright.engine_case import EngineCase, engine_case
from tilewright.engine_draw import draw_cases
from tilewright.verify_engine import SHORT_CYCLES, short_cases
from workloads.builder import NetworkBuilder
from workloads.errors import InputError
from workloads.formats import Int
from workloads.network import Network

PRESET = "engine_8x8"


def network() -> Network:
    """Return two layers that the engine runs."""
    b = NetworkBuilder("two", "test")
    x = b.relu(b.conv(b.input("image", (1, 3, 8, 8)), 12, 3, padding=1, name="c1"))
    return b.build(b.max_pool(b.conv(x, 9, 3, stride=1, padding=1, name="c2"), 2))


def constants(k: int = 3, c: int = 2, **more: int) -> LayerConstants:
    """Return plain constants of a layer."""
    weights = np.ones((k, c, 1, 1), dtype=np.int64)
    return LayerConstants(weights, np.zeros(k, np.int64), np.ones(k, np.int64), np.zeros(k, np.int64), **more)


def test_machines_it_is_not_built_for_are_refused_with_all_reasons() -> None:
    with pytest.raises(InputError, match=r"reduction_unroll is window.*writes_input is True"):
        engine_params(load_accelerator("edge_int8"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": 0}, "rows is 0, bound is 1..255"),
        ({"beat_bytes": 12}, "beat_bytes is 12, bound is a power of two"),
        ({"vector_latency_cycles": 6}, "vector_latency_cycles is 6, bound is 7"),
        ({"issue_cycles": 0}, "issue_cycles is 0"),
        ({"memory_latency_cycles": 0}, "memory_latency_cycles is 0"),
        ({"burst_beats": 1024}, "burst_beats is 1024"),
        ({"input_bytes": 16}, "input_bytes is 16, bound is >= 32"),
        ({"commands": 1024}, "commands is 1024, bound is 2..512"),
        ({"beat_bytes": 256}, "beat_bytes is 256, bound is 2..128"),
        ({"coefficient_channels": 8}, "coefficient_channels is 8, bound is 16"),
        ({"input_format": Int(8, signed=False)}, "input_format is uint8, bound is int8"),
        ({"memory_latency_cycles": 5000}, "memory_latency_cycles is 5000"),
    ],
)
def test_bounds_of_its_parameters(change: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(engine_params(load_accelerator(PRESET)), **change)  # type: ignore[arg-type]


def test_requantisation_is_exact_at_its_ties_and_ends() -> None:
    term = replace(constants(1), multiplier=np.array([1]), shift=np.array([1]))
    sums = np.arange(-300, 300)[:, None]
    expected = np.clip(np.floor(sums / 2 + 0.5).astype(int), -128, 127)  # ties go up
    assert (requantise(sums, term, relu=False) == expected).all()
    assert (requantise(sums, term, relu=True) == np.maximum(expected, 0)).all()
    second = np.full_like(sums, -3)
    both = requantise(sums, replace(term, second_multiplier=5), relu=False, second=second)
    assert (both == np.clip(np.floor((sums - 15) / 2 + 0.5).astype(int), -128, 127)).all()
    assert rounded_shift(np.array([-5, 5]), 0).tolist() == [-5, 5]


def test_requantisation_of_the_widest_sums_is_exact() -> None:
    """Products of 48-bit sums leave 64 bits; Python's integers do not."""
    term = replace(constants(1), bias=np.array([(1 << 31) - 1]), multiplier=np.array([(1 << 24) - 1]))
    term = replace(term, shift=np.array([59]))
    sums = np.array([(1 << 47) - 1, -(1 << 47), (1 << 41) + 12345, -(1 << 36), 0])[:, None]
    wide = [(int(value) + (1 << 31) - 1) * ((1 << 24) - 1) for value in sums[:, 0]]
    expected = [min(127, max(-128, (value + (1 << 58)) >> 59)) for value in wide]
    assert requantise(sums, term, relu=False)[:, 0].tolist() == expected
    assert len(set(expected)) == 5  # both ends, and what lies between


def test_a_field_of_a_command_is_a_signed_number_of_16_bits() -> None:
    assert pair(32767, -32768) == 0x7FFF8000
    for value in (32768, -32769):
        with pytest.raises(InputError, match=rf"a field of a command is {value}, bound is -32768\.\.32767"):
            pair(0, value)


@pytest.mark.parametrize("pad", [(0, 0), (1, 2), (-1, 0)])
def test_convolution_equals_a_written_out_loop(pad: tuple[int, int]) -> None:
    draw = np.random.default_rng(0)
    inputs, weights = draw.integers(-8, 8, (2, 6, 7, 3)), draw.integers(-8, 8, (4, 3, 3, 2))
    got = convolve(inputs, weights, (2, 1), (1, 2), (pad, (1, 0)), 32)
    for n, y, x, k in np.ndindex(got.shape):
        total = 0
        for fy, fx, c in np.ndindex(3, 2, 3):
            iy, ix = 2 * y - pad[0] + fy, x - 1 + 2 * fx
            if 0 <= iy < (6 if pad[1] >= 0 else 6 + pad[1]) and 0 <= ix < 7:
                total += int(inputs[n, iy, ix, c]) * int(weights[k, c, fy, fx])
        assert got[n, y, x, k] == total


def test_pooling() -> None:
    codes = np.array([1, 5, -3, 2])[None, :, None, None].reshape(1, 2, 2, 1)
    assert pool(codes, (2, 2), False, constants()).item() == 5
    assert pool(codes, (2, 2), True, constants(mean_multiplier=1, mean_shift=2)).item() == 1  # 5 / 4


@pytest.mark.parametrize(
    "change",
    [{"second_multiplier": -1}, {"mean_shift": 33}, {"bias": np.full(3, 1 << 31)}, {"shift": np.full(3, 60)},
     {"multiplier": np.full(3, 1 << 24)}, {"bias": np.zeros(2, np.int64)},
     {"second_multiplier": 3, "shift": np.array([1, 2, 3])}],
)  # fmt: skip
def test_constants_out_of_their_format_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(InputError, match="layer constants"):
        replace(constants(), **change)  # type: ignore[arg-type]


@pytest.mark.parametrize("chain", [("sigmoid",), ("relu", "add"), ("max_pool", "relu"), ("add", "add"), ("relu6",)])
def test_functions_that_the_vector_unit_has_not_are_refused(chain: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match="in the chain"):
        vector_functions(chain, "layer")


def test_group_convolutions_and_lone_vector_layers_are_refused() -> None:
    machine = load_accelerator(PRESET)
    b = NetworkBuilder("depthwise", "test")
    plan = make_plan(b.build(b.conv(b.input("x", (1, 8, 6, 6)), 8, 3, groups=8)), machine)
    with pytest.raises(InputError, match="group"):
        engine_case(plan).run()
    b = NetworkBuilder("softmax", "test")
    plan = make_plan(b.build(b.softmax(b.linear(b.input("x", (1, 8)), 8))), machine)
    with pytest.raises(InputError, match="not on the array"):
        engine_case(plan)


def test_layers_that_would_mean_something_else_are_refused_by_name() -> None:
    machine = load_accelerator(PRESET)
    b = NetworkBuilder("transposed", "test")
    plan = make_plan(b.build(b.conv_transpose(b.input("x", (1, 3, 4, 4)), 4, 3, stride=2)), machine)
    with pytest.raises(InputError, match="transposed"):
        engine_case(plan)
    b = NetworkBuilder("rows", "test")
    x = b.conv(b.input("x", (1, 3, 4, 4)), 4, 3, padding=1)
    plan = make_plan(b.build(b.linear(b.reshape(x, (4, 16)), 5)), machine)
    with pytest.raises(InputError, match="one after another"):
        engine_case(plan)


def test_mean_of_saturated_codes_stays_a_code() -> None:
    codes = np.full((1, 28, 28, 1), -128)
    rounded_up = constants(1, mean_multiplier=84, mean_shift=16)
    assert pool(codes, (28, 28), True, rounded_up).item() == -128
    assert pool(-codes - 1, (28, 28), True, rounded_up).item() == 127


def test_near_miss_machines_are_told_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from importlib import resources

    text = (resources.files("hw_models.presets") / f"{PRESET}.yaml").read_text(encoding="utf-8")
    file = tmp_path / "near.yaml"
    file.write_text(text.replace("lanes: 8", "lanes: 4"), encoding="utf-8")
    assert run(["rtl", str(file), "-o", str(tmp_path / "out")]) == 2
    assert "vector.lanes is 4, built is 8" in capsys.readouterr().err


def test_too_many_channels_or_commands_are_refused() -> None:
    case = engine_case(make_plan(network(), load_accelerator(PRESET)))
    for change, message in (({"coefficient_channels": 16}, "channel terms"), ({"commands": 2}, "commands")):
        with pytest.raises(InputError, match=message):
            encode(case.program, replace(case.params, **change), case.constants)


def test_command_file_round_trip_is_the_same_program() -> None:
    program = make_plan(network(), load_accelerator(PRESET)).program
    assert program_from(json.loads(json.dumps(program_data(program))), "file") == program


def resealed(tree: dict[str, Any], **changes: object) -> None:
    """Change the program of a command file and make its digest fit."""
    tree["program"].update(changes)
    tree["program_sha256"] = program_digest(tree["program"])


def amended(tree: dict[str, Any], which: str, **changes: object) -> None:
    """Change the first command of engine `which`, or its walk, and make the digest fit."""
    command = next(c for c in tree["program"]["commands"] if c["engine"] == which)
    for key, value in changes.items():
        (command if key in command else command["walk"])[key] = value
    resealed(tree)


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        (lambda t: t["program"]["commands"][0].update(engine="sing"), 4),
        (lambda t: t["program"]["commands"][2]["waits"].clear(), 4),
        (lambda t: t.update(cycles=t["cycles"] + 1), 4),
        (lambda t: t.update(schema="other"), 2),
        (lambda t: t.pop("program"), 2),
        (lambda t: t.update(arch="engine_9x9"), 2),
        (lambda t: t.update(overrides=[1]), 2),
        (lambda t: t.update(cycles=True), 2),
        (lambda t: resealed(t, dram_bytes="x"), 2),
        (lambda t: resealed(t, dram_bytes=8), 2),
        (lambda t: resealed(t, dram_bytes=10**15), 2),
        (lambda t: resealed(t, workload=5), 2),
        (lambda t: resealed(t, layers="abc"), 2),
        (lambda t: resealed(t, layers=["abc"]), 2),
        (lambda t: amended(t, "load", engine=["load"]), 2),
        (lambda t: amended(t, "store", transfers=[]), 2),
        (lambda t: amended(t, "array", sums_first=[1 << 40, 0, 0, 0]), 2),
        (lambda t: amended(t, "vector", coefficient=-1), 2),
        (lambda t: amended(t, "array", tile=[1, 4, 0, 1]), 2),
        (lambda t: amended(t, "array", sums_tile=[1, 4, 0, 8]), 2),
        (lambda t: t.update(arch_sha256="0"), 2),
    ],
)
def test_edited_command_files_are_refused(
    edit: object, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "list.json"
    assert run(["map", "digits", "--arch", PRESET, "--commands", str(file)]) == 0
    tree = json.loads(file.read_text(encoding="utf-8"))
    edit(tree)  # type: ignore[operator]
    file.write_text(json.dumps(tree), encoding="utf-8")
    assert run(["verify", str(file)]) == code
    assert capsys.readouterr().err.count("error:") == 1


def test_short_networks_are_drawn_where_the_machine_has_them() -> None:
    chosen = short_cases(draw_cases(0, load_accelerator(PRESET)), 3)
    assert len(chosen) == 3 and max(case.predicted_cycles for case in chosen) <= SHORT_CYCLES


def test_a_machine_that_takes_no_network_ends_the_drawing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tilewright.engine_draw.MOST_REFUSALS", 3)
    slower = load_accelerator(PRESET, ["dram.bandwidth=4B/cycle"])  # half a beat a cycle
    said = r"'engine_8x8': 3 drawn in a row are refused, bound is 2; change what the last refusal names: .*bandwidth"
    with pytest.raises(InputError, match=said):
        next(draw_cases(0, slower))


def test_refusals_count_from_the_last_network_that_was_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every second draw is refused, more of them than the bound is."""
    calls: list[int] = []

    def every_second(plan: Plan, seed: int) -> EngineCase:
        calls.append(seed)
        if len(calls) % 2:
            raise InputError("refused")
        return engine_case(plan, seed)

    monkeypatch.setattr("tilewright.engine_draw.MOST_REFUSALS", 2)
    monkeypatch.setattr("tilewright.engine_draw.engine_case", every_second)
    assert len(list(islice(draw_cases(3, load_accelerator(PRESET)), 3))) == 3
    assert len(calls) == 6


def test_a_machine_of_slow_dram_is_verified_on_the_shortest_networks() -> None:
    """No network of it is short, and the drawing ends."""
    chosen = short_cases(draw_cases(0, load_accelerator(PRESET, ["dram.latency=2000cycles"])), 2)
    assert len(chosen) == 2 and min(case.predicted_cycles for case in chosen) > SHORT_CYCLES
