"""Files of other tools that cannot be held: refused with file, line, path, value and what is supported."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hw_models.importers.accelforge_arch import read_accelforge
from hw_models.importers.accelforge_expressions import EinsumView
from hw_models.importers.source import PEER_TAGS, open_cursor
from hw_models.importers.timeloop_arch import read_arch
from hw_models.importers.timeloop_tree import read_energy_table, timeloop_tree
from hw_models.importers.zigzag_hardware import read_hardware
from hw_models.importers.zigzag_tree import zigzag_tree
from hw_models.yaml_edge import parse_yaml
from mappers.exchange.problems import nest_problem
from mappers.exchange.timeloop_mapping import read_timeloop_mapping
from mappers.exchange.zigzag_mapping import read_mapping
from workloads.errors import InputError
from workloads.importers.accelforge_einsums import read_einsums
from workloads.importers.cursor import Cursor
from workloads.importers.timeloop_problem import read_problem
from workloads.importers.zigzag_layers import read_layers

ROOT = Path(__file__).resolve().parents[2]
FILES = ROOT / "tests" / "data" / "peers"
ACCELFORGE = ROOT / "benchmarks" / "peers"
VIEW = EinsumView(
    {"I": 8, "F": 8, "O": 8},
    {"input": "I", "weight": "F", "output": "O"},
    {"I": frozenset("cpr"), "F": frozenset("kcr"), "O": frozenset("kp")},
    "O",
)


def cursor(text: str) -> Cursor:
    return Cursor.of(parse_yaml(text, "file.yaml", tags=PEER_TAGS, last_key_wins=True))


def accelforge(top: Cursor) -> object:
    return read_accelforge(top, VIEW)


def hardware_tree(top: Cursor) -> object:
    return zigzag_tree(read_hardware(top))


Reader = Callable[[Cursor], object]
SYSTOLIC, LAYERS, MAPPING = (FILES / f"zigzag_{x}.yaml" for x in ("systolic", "layers", "systolic_mapping"))
ARCH, OLD, PROBLEM = (FILES / f"timeloop_{x}.yaml" for x in ("3level_v04", "3level_v03", "conv1d_oc"))
SIMBA, CONV = ACCELFORGE / "simba_accelforge.yaml", ACCELFORGE / "conv3x3_accelforge.yaml"

CASES: list[tuple[Reader, Path, str, str, str]] = [
    (read_hardware, SYSTOLIC, "size: 64\n", "size: 64B\n", r"file.yaml:6: 'memories.rf_w.size' is '64B'; an integer .*\(bits\)"),
    (read_hardware, SYSTOLIC, "size: 64\n", "size: 64.5\n", r"'memories.rf_w.size' is 64.5; an integer"),
    (read_hardware, SYSTOLIC, "size: 64\n", "sise: 64\n", r"'memories.rf_w.sise' is a key that is not supported .*did you mean 'size'"),
    (read_hardware, SYSTOLIC, "sizes: [4, 4]", "sizes: [4, 0]", r"'operational_array.sizes\[1\]' is 0; an integer of 1\.\."),
    (read_hardware, SYSTOLIC, "sizes: [4, 4]", "sizes: [4]", r"has 1 entries for 2 dimensions"),
    (read_hardware, SYSTOLIC, "served_dimensions: [D2]", "served_dimensions: [D7]", r"is 'D7'; supported: D1, D2"),
    (read_hardware, SYSTOLIC, "served_dimensions: [D1, D2]", "served_dimensions: [D1]", r"no memory of I1 up to 'dram' serves D2"),
    (read_hardware, SYSTOLIC, '"I2, fh"]', '"I2, xx"]', r"is 'I2, xx'; 'OPERAND, DIRECTION'"),
    (read_hardware, SYSTOLIC, '"O, th"]', '"O, fl"]', r"writes through a read port"),
    (read_hardware, SYSTOLIC, "bandwidth_min: 16", "bandwidth_min: 999", r"'.*bandwidth_min' is 999; bound is bandwidth_max"),
    (read_hardware, SYSTOLIC, "unit_area: 1", "is_imc: true", r"describes in-memory computing"),
    (read_hardware, SYSTOLIC, "area: 0", "auto_cost_extraction: true", r"asks for costs out of CACTI"),
    (hardware_tree, SYSTOLIC, "bandwidth_max: 64\n        allocation: [\"I1, tl", "bandwidth_max: 128\n        allocation: [\"I1, tl", r"memory 'sram': ports are 64 and 128 bits wide"),
    (read_layers, LAYERS, "operator_type: Conv", "operator_type: Softmax", r"'\[0\].operator_type' is 'Softmax'; supported: Conv"),
    (read_layers, LAYERS, "[iy][ix]", "[iy][iz]", r"uses index 'iz'; name it in loop_dims or in dimension_relations"),
    (read_layers, LAYERS, "*I[b]", "+I[b]", r"is not a product of two tensors"),
    (read_layers, LAYERS, "ix=2*ox+1*fx", "ix=2*ox+1*fx+k", r"is not a relation"),
    (read_layers, LAYERS, "padding: [[2, 2], [2, 2]]", "padding: [[90, 2], [2, 2]]", r"real; correct padding or pr_loop_sizes"),
    (read_layers, LAYERS, "W: 8, I: 8,", "I: 8,", r"operand_precision' has no 'W'"),
    (read_mapping, MAPPING, "- K, 4", "- K 4", r"is 'K 4'; 'DIMENSION, FACTOR'"),
    (read_mapping, MAPPING, "spatial_mapping:", "spatial_mapping_hint:", r"steers ZigZag's own choice of axes"),
    (read_mapping, MAPPING, "name: default", "name: other", r"has no entry 'default'"),
    (read_arch, ARCH, "!Component", "!Thing", r"tag '!Thing' is not accepted"),
    (read_arch, ARCH, "class: regfile", "class: magic", r"'architecture.nodes\[4\].class' is 'magic'; supported: DRAM"),
    (read_arch, ARCH, "depth: 64,", "dept: 64,", r"'.*dept' is a key that is not supported .*did you mean 'depth'"),
    (read_arch, ARCH, "width: 64,", "width: 65,", r"is 65 bits; a multiple of datawidth"),
    (read_arch, ARCH, "meshX: 16", "meshX: 0", r"'.*meshX' is 0; an integer of 1\.\."),
    (read_arch, ARCH, "name: MACC\n    class: intmac", "name: MACC\n    class: SRAM", r"has no depth; give the rows|then multipliers .* are needed"),
    (read_arch, OLD, "PE[0..0]", "PE[0..2]", r"has 16 instances under 3; each instance above must feed the same number"),
    (read_arch, OLD, "Array[0..15]", "Array[15..0]", r"a name with a range such as PE\[0..15\]"),
    (read_problem, PROBLEM, "[P, Stride]", "[P, R]", r"is the term 'P \* R'; supported: one dimension and|is the term 'P \* R'"),
    (read_problem, PROBLEM, "read_write: true", "read_write: false", r"has 0 data spaces with read_write: true"),
    (read_problem, PROBLEM, "K: 32,", "K: 0,", r"'problem.instance.K' is 0; an integer of 1\.\."),
    (read_problem, PROBLEM, "K: 32,", "L: 32,", r"'problem.instance.L' is a key that is not supported"),
    (read_problem, PROBLEM, "P: 16}", "P: 16, densities: {Weights: 0.5}}", r"gives densities; supported: dense problems"),
    (accelforge, SIMBA, "!Container", "!Toll", r"has the tag '!Toll'; supported: !Memory"),
    (accelforge, SIMBA, "leak_power: 0", "leak_power: 1e-3", r"is a leakage; supported: 0"),
    (accelforge, SIMBA, "fanout: 16", "fanout: 0", r"'.*fanout' is 0; an integer of 1\.\."),
    (accelforge, SIMBA, "min_usage: 1}", "min_usage: 3}", r"is 3.0; a share of 0..1 is needed"),
    (accelforge, SIMBA, "size: 524288", "size: 64 kB", r"is '64 kB'; supported: numbers"),
    (accelforge, SIMBA, "size: 524288", "size: __import__('os')", r"supported: numbers, inf"),
    (accelforge, SIMBA, "keep: input | output", "keep: everything", r"is 'everything'; supported: F, I, O, input"),
    (accelforge, SIMBA, "max(a.n_calls / a.throughput for a in actions)", "sum(a.n_calls for a in actions)", r"supported: sum\("),
    (read_einsums, CONV, "H: p + r", "H: p * r", r"is the index 'p \* r'; supported: a sum of rank variables"),
    (read_einsums, CONV, "K: 64,", "", r"has no size for k; give it in rank_sizes"),
    (read_einsums, CONV, "H: 58", "H: 20", r"reaches index 57 of rank H; its size is 20"),
    (read_einsums, CONV, "workload:", "workload: {}\nother:", r"'other' is a key that is not supported"),
]  # fmt: skip


@pytest.mark.parametrize(("reader", "path", "old", "new", "message"), CASES, ids=lambda v: getattr(v, "__name__", None))
def test_a_bad_file_is_refused_by_name(reader: Reader, path: Path, old: str, new: str, message: str) -> None:
    text = path.read_text()
    assert old in text
    reader(Cursor.of(parse_yaml(text, "file.yaml", tags=PEER_TAGS)))
    with pytest.raises(InputError, match=message):
        reader(cursor(text.replace(old, new)))


MAPPINGS = [
    ("- {target: Nowhere, type: temporal, factors: [K=2]}", r"is 'Nowhere'; storages: MainMemory"),
    ("- {target: GlobalBuffer, type: temporal, factors: [K=5], permutation: KRPC}", r"has factors of K that multiply to 5; its size"),
    ("- {target: GlobalBuffer, type: temporal, factors: [K=2, Z=2], permutation: KRPC}", r"names Z; the problem has C, K, R, P"),
    ("- {target: PE, type: spatial, factors: [K=32], permutation: KRPC}", r"use 32 copies along X; 'PE' has 16"),
    ("- {target: RegisterFile, type: spatial, factors: [K=2]}", r"is 'RegisterFile', which has no copies"),
    ("- {target: GlobalBuffer, type: temporal, factors: ['K=3,2'], permutation: KRPC}", r"has the factor|multiply"),
    ("- {target: MainMemory, type: bypass, bypass: [Inputs]}", r"is at the outermost storage"),
    ("- {target: GlobalBuffer, type: temporal, factors: [K=2], permutation: KKRP}", r"each of C, K, R, P at most once"),
    ("- {target: GlobalBuffer, type: temporal, factor: [K=2]}", r"'mapping\[0\].factor' is a key that is not supported"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "message"), MAPPINGS)
def test_a_bad_timeloop_mapping_is_refused(line: str, message: str) -> None:
    arch, problem = read_arch(open_cursor(ARCH)), nest_problem(read_problem(open_cursor(PROBLEM)))
    rest = "- {target: RegisterFile, type: temporal, factors: [C=0, K=0, R=0, P=0], permutation: KRPC}"
    read_timeloop_mapping(cursor(f"mapping:\n{rest}\n"), arch, problem)
    with pytest.raises(InputError, match=message):
        read_timeloop_mapping(cursor(f"mapping:\n{line}\n{rest.replace('K=0', 'K=1')}\n"), arch, problem)


def test_all_mistakes_of_a_file_are_told_at_once() -> None:
    text = SYSTOLIC.read_text().replace("size: 64\n", "size: big\n").replace("bandwidth_max: 16", "bandwidth_max: x")
    with pytest.raises(InputError) as caught:
        read_hardware(cursor(text))
    assert str(caught.value).count("file.yaml:") >= 3


def test_a_template_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "arch.yaml"
    file.write_text("arch:\n{% set X = 1 %}\n  nodes: []\n")
    with pytest.raises(InputError, match=r"arch.yaml:2: is a template"):
        open_cursor(file)


def test_of_two_equal_keys_the_last_is_taken_and_noted(tmp_path: Path) -> None:
    file = tmp_path / "hw.yaml"
    file.write_text(SYSTOLIC.read_text().replace("    size: 64\n", "    size: 8\n    size: 64\n"))
    hardware = read_hardware(open_cursor(file))
    assert hardware.memories[0].size_bits == 64
    assert "key 'size' is given twice (first on line 6); the last is taken" in hardware.notes[0]


def test_an_energy_table_must_cover_the_machine() -> None:
    table = read_energy_table(
        cursor(
            "ERT_summary:\n  version: 0.4\n  table_summary:\n"
            "  - {name: System.MainMemory, actions: [{name: read, energy: 512}, {name: write, energy: 512}]}\n"
        )
    )
    with pytest.raises(InputError, match="energy table: has no component 'GlobalBuffer'"):
        timeloop_tree(read_arch(open_cursor(ARCH)), ["A"], ["K"], table)
