"""Any change of a command list, or of a latency or width of the RTL that runs it, is found out by verification.

A perturbed list either means the same to the engine and in time (names, counts for energy, sizes that a check bounds,
waits that others imply) or does not verify, also when the digest in its file is made to fit.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import tilewright.command_list
from hw_models.description import load_accelerator
from hw_models.layer_engine import EngineParams
from mappers.command_file import program_digest
from mappers.plan import make_plan
from rtl.engine_run import run_engine
from rtl.engine_top import bench_sources
from rtl.engine_words import encode
from sim.machine import run_program
from tests.cosim.engine_cases import PAGE, TIGHT, TIGHT_OS, make_case
from tests.cosim.engine_networks import block, rows
from tests.reference.profile import NIGHTLY
from tilewright.cli import run
from tilewright.command_list import command_data, read_case
from tilewright.engine_case import EngineCase
from tilewright.engine_draw import MACHINE, draw_plan
from tilewright.sources import load_workload
from workloads.errors import InputError, MismatchError

pytestmark = pytest.mark.cosim

OVERRIDES = ["core.rows=3", "core.cols=2", "core.vector.lanes=2", "core.accumulator.half=160B", "dram.latency=5cycles",
             "energy.allow_default=true"]  # fmt: skip
SPARSE = [*OVERRIDES, "core.dataflows=[ws, os]", "core.sparsity.n=2", "core.sparsity.m=3"]
EVERY_NTH = 3
FEWER = 1 if NIGHTLY else 2  # of those, outside the nightly profile
BATCH = 8
NAMES = {
    "array input_tensor", "array output_tensor", "array weight_tensor", "array macs", "array layer", "load layer",
    "load tensor", "load part.channels", "store layer", "store tensor", "vector layer", "vector op",
    "vector operations", "vector read_bytes", "vector write_bytes", "vector tensors_read", "vector tensors_written",
}  # fmt: skip
"""Fields for tables and energy, of which neither machine knows; `part.channels` where the tile's integers are alike."""
IDLE = {f"array walk.{field}" for field in ("tile", "sums_tile", "weight_tile", "dilation", "stride", "outputs")}
"""Fields of a walk that mean nothing along an axis of one step, and output channels that fill up the last columns."""
Change = tuple[str, dict[str, Any]]


@pytest.fixture(scope="module")
def commands_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a command list of two convolutions, the second with a second operand and ReLU, in tiles."""
    return write_commands(tmp_path_factory.mktemp("perturbed"), OVERRIDES, 5)


def write_commands(folder: Path, overrides: list[str], seed: int) -> Path:
    """Write the command list of two convolutions on a machine, their mapping drawn from `seed`."""
    model = folder / "two.onnx"
    write_model(model)
    loaded, machine = load_workload(str(model)), load_accelerator(MACHINE, overrides)
    plan = draw_plan(np.random.default_rng(seed), make_plan(loaded.network, machine))
    path = folder / "two.json"
    path.write_text(json.dumps(command_data(plan, str(model), loaded.sha256, MACHINE, {}, overrides)), encoding="utf-8")
    return path


def write_model(path: Path) -> None:
    """Write a model of two small convolutions."""
    draw = np.random.default_rng(0)
    shapes = {"w0": (3, 4, 2, 2), "w1": (3, 3, 1, 1)}
    weights = [
        helper.make_tensor(name, TensorProto.FLOAT, shape, draw.random(shape).ravel()) for name, shape in shapes.items()
    ]
    nodes = [
        helper.make_node("Conv", ["x", "w0"], ["a"], "first"),
        helper.make_node("Relu", ["a"], ["b"], "positive"),
        helper.make_node("Conv", ["b", "w1"], ["c"], "second"),
        helper.make_node("Add", ["c", "b"], ["y"], "sum"),
    ]
    ports = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("x", (1, 4, 4, 4)), ("y", (1, 3, 3, 3)))
    ]
    graph = helper.make_graph(nodes, "two", ports[:1], ports[1:], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)


@pytest.fixture(autouse=True)
def import_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Import the model once: the changes are in the commands."""
    monkeypatch.setattr(tilewright.command_list, "load_workload", imported)


@cache
def _imported(name: str) -> Any:
    return load_workload(name)


def imported(name: str, dims: object = None) -> Any:
    """Return the workload `name` as it was imported first."""
    return _imported(name)


def changes(tree: dict[str, Any]) -> Iterator[Change]:
    """Yield every change of one field of one command: its place, and the whole list with it."""
    for number, command in enumerate(tree["program"]["commands"]):
        for place, values in fields(command):
            for value in values:
                made = deepcopy(tree)
                put(made["program"]["commands"][number], place, value)
                made["program_sha256"] = program_digest(made["program"])
                yield f"{command['engine']} {'.'.join(str(step) for step in place if not isinstance(step, int))}", made


def fields(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], list[Any]]]:
    """Yield every field below `value` with the values to try in its place."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key != "engine":
                yield from fields(inner, (*place, key))
    elif isinstance(value, list):
        if place[-1] == "waits":
            fewer = [value[:n] + value[n + 1 :] for n in range(len(value))]
            yield place, [*fewer, [*value, ["load", 1]]]
        for number, inner in enumerate(value):
            yield from fields(inner, (*place, number))
    elif isinstance(value, bool):
        yield place, [not value]
    elif isinstance(value, int):
        yield place, [value + 1, value - 1]
    elif isinstance(value, str):
        yield place, ["vector" if value == "array" else "array" if value == "load" else f"{value}_"]


def put(command: Any, place: tuple[Any, ...], value: Any) -> None:
    """Set the field at `place`."""
    for step in place[:-1]:
        command = command[step]
    command[place[-1]] = value


def write(path: Path, tree: dict[str, Any]) -> Path:
    """Write `tree` beside the file `path`."""
    made = path.parent / "changed.json"
    made.write_text(json.dumps(tree), encoding="utf-8")
    return made


def played(cases: list[EngineCase]) -> list[bool]:
    """Return for each case whether the RTL agrees; a batch that ends early is played again in halves."""
    size = max(len(case.run().image) for case in cases)
    try:
        outcomes = run_engine(cases[0].params, [case.run() for case in cases], memory_bytes=size)
    except MismatchError:
        outcomes = []
    if outcomes and all(outcome.cycles >= 0 for outcome in outcomes):
        return [case.agrees(outcome) for case, outcome in zip(cases, outcomes, strict=True)]
    if len(cases) == 1:
        return [False]
    return played(cases[: len(cases) // 2]) + played(cases[len(cases) // 2 :])


def test_an_edited_file_ends_in_exit_code_4(commands_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tree = json.loads(commands_file.read_text(encoding="utf-8"))
    assert run(["verify", str(commands_file)]) == 0
    for _, made in list(changes(tree))[:: FEWER * EVERY_NTH]:
        made["program_sha256"] = tree["program_sha256"]
        assert run(["verify", str(write(commands_file, made))]) == 4
        assert "not those that were lowered" in capsys.readouterr().err


def survey(path: Path, every_nth: int = EVERY_NTH) -> tuple[Counter[str], list[tuple[str, EngineCase]], EngineCase]:
    """Return how the sample is refused before any RTL runs, what the engine must find, and the right case.

    The integers of every list are its own, so that no tile is right because the run before left it.
    """
    tree, right = json.loads(path.read_text(encoding="utf-8")), read_case(path)
    words, spans = encode(right.program, right.params, right.constants), spans_of(right)
    counts: Counter[str] = Counter()
    left = []
    for seed, (place, made) in enumerate(list(changes(tree))[::every_nth], 1):
        try:
            case = read_case(write(path, made), seed)
            case.run()
        except InputError:
            counts["refused: not for this engine"] += 1
        except MismatchError as error:
            counts["refused: cycles" if "cycles, the file states" in str(error) else "refused: event model"] += 1
        else:
            if encode(case.program, case.params, right.constants) == words:
                counts[f"same: {place}"] += 1
                assert spans_of(case) == spans, place
            else:
                left.append((place, case))
    return counts, left, right


def spans_of(case: EngineCase) -> list[tuple[int, int, int]]:
    """Return when every command was issued, began and ended."""
    return [(span.issue, span.begin, span.end) for span in run_program(case.program, case.accelerator).spans]


def judged(path: Path, every_nth: int = EVERY_NTH) -> Counter[str]:
    """Return how the changes of a command list were found out, or why they need not be."""
    counts, left, right = survey(path, every_nth)
    spans = spans_of(right)
    for start in range(0, len(left), BATCH):
        batch = left[start : start + BATCH]
        for (place, case), agrees in zip(batch, played([case for _, case in batch]), strict=True):
            if not agrees:
                counts["found by the RTL"] += 1
            elif place.endswith(" waits"):
                # other waits imply it, and nothing moves; or what moves has time to
                counts["implied wait" if spans_of(case) == spans else "wait with slack"] += 1
            else:
                assert place in IDLE, place
                counts["idle"] += 1
    named = {what.removeprefix("same: ") for what in counts if what.startswith("same: ")}
    assert named <= NAMES | IDLE
    assert counts["idle"] + counts["implied wait"] <= 0.15 * len(left) + 1
    assert counts["wait with slack"] <= 0.02 * len(left)
    return counts


def refused(counts: Counter[str]) -> int:
    """Return how many changes no RTL was needed for."""
    return sum(number for what, number in counts.items() if what.startswith("refused"))


def test_every_change_that_means_something_is_found(commands_file: Path) -> None:
    counts = judged(commands_file)
    assert refused(counts) >= 70 and counts["found by the RTL"] >= 25


def test_changes_on_a_sparse_machine_of_two_dataflows_are_found(tmp_path: Path) -> None:
    path = write_commands(tmp_path, SPARSE, 7)
    flows = [c["dataflow"] for c in json.loads(path.read_text())["program"]["commands"] if c["engine"] == "array"]
    assert flows == ["ws", "ws", "os", "os"]
    counts = judged(path, 14)
    assert refused(counts) >= 10 and counts["found by the RTL"] >= 4


def planted(case: EngineCase, module: str, old: str, new: str) -> bool:
    """Tell whether the RTL with `old` replaced still agrees."""
    sources = bench_sources(case.params, -(-case.program.dram_bytes // case.params.beat_bytes))
    sources[module] = sources[module].replace(old, new)
    return case.agrees(run_engine(case.params, [case.run()], sources=sources)[0])


TOP, BENCH = f"{TIGHT.name}.sv", f"{TIGHT.name}_bench.sv"


PERTURBED = [
    ("engine_array.sv", ".DEPTH (ROWS + COLS + 1)", ".DEPTH (ROWS + COLS + 2)"),
    (TOP, ".OUTSTANDING(3)", ".OUTSTANDING(1)"),
    (TOP, ".ACC_W(32)", ".ACC_W(16)"),
    (TOP, ".INPUT_BYTES(64)", ".INPUT_BYTES(32)"),
    (TOP, ".WEIGHT_BYTES(64)", ".WEIGHT_BYTES(8)"),
    (TOP, ".ACC_DEPTH(8)", ".ACC_DEPTH(4)"),
    ("layer_engine.sv", "1 << $clog2(WIDER_IN)", "(1 << $clog2(WIDER_IN)) / 2"),
    (BENCH, "LATENCY     = 5", "LATENCY     = 6"),
    (BENCH, "BURST_BEATS = 4", "BURST_BEATS = 2"),
]
PERTURBED_BY_NIGHT = [
    ("engine_array.sv", ".DEPTH (ROWS + COLS + 1)", ".DEPTH (ROWS + COLS)"),
    (TOP, ".VECTOR_LATENCY(7)", ".VECTOR_LATENCY(8)"),
    (TOP, ".ISSUE_CYCLES(1)", ".ISSUE_CYCLES(2)"),
    (TOP, ".OPERAND_BYTES(32)", ".OPERAND_BYTES(16)"),
    (TOP, ".OUTPUT_BYTES(32)", ".OUTPUT_BYTES(16)"),
    ("layer_engine.sv", ".DEPTH   (OUTPUT_BYTES / OUTPUT_BANKS)", ".DEPTH   (OUTPUT_BYTES / OUTPUT_BANKS / 2)"),
    (BENCH, "LATENCY     = 5", "LATENCY     = 4"),
    (BENCH, "BURST_BEATS = 4", "BURST_BEATS = 8"),
]


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [*PERTURBED, *(pytest.param(*each, marks=pytest.mark.nightly) for each in PERTURBED_BY_NIGHT)],
)
def test_a_perturbed_latency_or_width_is_found(module: str, old: str, new: str) -> None:
    check_planted(TIGHT, module, old, new)


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("engine_array_os.sv", "LINE = 2 * ROWS + COLS - 1", "LINE = 2 * ROWS + COLS"),
        ("engine_array_os.sv", ".DEPTH (ROWS + 2)", ".DEPTH (ROWS + 1)"),
        ("engine_pairs.sv", "GAP_W'(ROWS - 1)", "GAP_W'(ROWS)"),
        ("layer_engine.sv", "1 << $clog2(WIDER_WEIGHT)", "(1 << $clog2(WIDER_WEIGHT)) / 2"),
        (f"{TIGHT_OS.name}.sv", ".GROUP(2)", ".GROUP(1)"),
    ],
)
def test_a_perturbed_latency_or_width_of_a_sparse_array_is_found(module: str, old: str, new: str) -> None:
    check_planted(TIGHT_OS, module, old, new)


def check_planted(params: EngineParams, module: str, old: str, new: str) -> None:
    """Fail if `old` can be `new` in `module` without a value or a cycle being different."""
    assert old in bench_sources(params, 2)[module]
    for build in (block, rows):  # the greater one shows what the smaller does not: weights, bursts that take turns
        case = make_case(params, build, 0, PAGE - 65, drawn=False)
        try:
            if not planted(case, module, old, new):
                return
        except MismatchError:
            return
    pytest.fail(f"{module}: {new} changes neither a value nor the cycles")
