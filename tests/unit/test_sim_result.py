"""Results of the event model: energy by hand, attribution by hand, laws that go red, files that read back."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from mappers.commands import Program
from sim.attribution import attribute
from sim.checks import check_result, require
from sim.energy import count, energy_pj
from sim.machine import run_program
from sim.raw_run import Run
from sim.result import LayerAnnotation, Result, read_json
from sim.simulation import simulate
from tests.reference.sim_programs import program_of, small_machine, tile
from workloads.errors import InputError, InternalError

NOTE = LayerAnnotation({"order": ["K", "C"]}, True, 0.0, 90, "core0")
MACHINE = small_machine()


def _two_layers() -> tuple[Program, Result, Run]:
    program = program_of([[tile(), tile(operand=True)], [tile(folds=[])]])
    result, run = simulate(program, MACHINE, {"workload": "toy"}, [NOTE] * 2, {}, ["leakage"], keep_run=True)
    return program, result, run


def test_energy_and_traffic_by_hand() -> None:
    """One WS job of 2 x 1 folds on a 4 x 4 array, stream 6, 12 useful MACs; one tile of 2 x 16 bytes per load."""
    program = program_of([[tile()]])
    (ledger,) = count(program, MACHINE)
    assert ledger.traffic == {
        "dram": {
            "weight_data": {"read": 32, "write": 0},
            "input_data": {"read": 32, "write": 0},
            "z": {"read": 0, "write": 32},
        },
        "input": {"input_data": {"read": 0, "write": 32}, "x": {"read": 2 * 6 * 4, "write": 0}},
        "weight": {"weight_data": {"read": 0, "write": 32}, "w": {"read": 2 * 16, "write": 0}},
        # The second row fold reads the 6 x 4 sums of the first, 4 bytes each; the vector unit reads 64 bytes.
        "accumulator": {"y": {"read": 6 * 4 * 4 + 64, "write": 2 * 6 * 4 * 4}},
        "staging": {"z": {"read": 32, "write": 32}},
    }
    assert energy_pj(ledger, MACHINE) == {
        "mac": Fraction("3.6"),
        "input": 48 * Fraction("0.13") + 32 * Fraction("0.17"),
        "weight": 32 * Fraction("0.19") + 32 * Fraction("0.23"),
        "accumulator": 160 * Fraction("0.29") + 192 * Fraction("0.31"),
        "staging": 64 * Fraction("0.11"),
        "dram": 96 * Fraction("15.5"),
        "vector": 16 * Fraction("0.7"),
    }


def test_accumulating_jobs_read_their_sums() -> None:
    program = program_of([[tile(folds=[("ws", 6, 1, 1), ("ws", 6, 1, 1)])]])
    (ledger,) = count(program, MACHINE)
    assert ledger.traffic["accumulator"] == {"y": {"read": 6 * 4 * 4 + 64, "write": 2 * 6 * 4 * 4}}


def test_one_tile_by_hand() -> None:
    """Latency 5, 8 bytes per cycle, issue 1, array 4 x 4, drain 4-1+4-1+4 = 10.

    Addresses 3 and 6 with pitch 40 and 41: a run of 16 bytes is 3 beats, so each load is 6. Load 0 issues at 1 and may
    use the bus from 6 to 12; load 1 issues at 2, waits for the bus, 12 to 18. The job issues at 19, loads 4 rows,
    streams 6 and 6 to 35, is done at 45. Vector: issue 46, 2 rows x 2 steps + 2 = 6, done at 52. Store: issue 53, bus
    54 to 60, response at 65.
    """
    program = program_of([[tile()]])
    run = run_program(program, MACHINE)
    assert [(s.issue, s.begin, s.last, s.end) for s in run.spans] == [
        (1, 6, 12, 12),
        (2, 12, 18, 18),
        (19, 23, 35, 45),
        (46, 46, 52, 52),
        (53, 54, 60, 65),
    ]
    (time,) = attribute(program, run, MACHINE)
    assert time.compute_cycles == 12
    assert time.stall_cycles == {
        "dram_read": 12,  # 0 to 1 load 1 is behind load 0; 7 to 18 it waits for the bus and moves
        "dram_latency": 5,  # 2 to 7
        "fill_drain": 4 + 10,
        "vector": 6,
        "dram_write": 12,
        "dependency": 0,
        "issue": 4,
    }


def test_folds_shorter_than_the_array_are_fill_time() -> None:
    """A stream of 1 on 4 rows: folds start 4 cycles apart, 3 of which nothing enters."""
    program = program_of([[tile(folds=[("ws", 1, 5, 1)])]])
    (time,) = attribute(program, run_program(program, MACHINE), MACHINE)
    assert time.compute_cycles == 5
    assert time.stall_cycles["fill_drain"] == 4 + 4 * 3 + 10


def test_vector_layers_compute_on_the_vector_unit() -> None:
    program = program_of([[tile(folds=[], rows=4, special=2)]])
    run = run_program(program, MACHINE)
    (time,) = attribute(program, run, MACHINE)
    assert time.compute_cycles == MACHINE.core.vector.cycles(4, 8, 1, 2)
    assert time.stall_cycles["vector"] == 0


def test_bounds_and_totals() -> None:
    _, result, run = _two_layers()
    assert result.totals.cycles == run.cycles
    assert result.totals.macs == 24 and result.totals.utilisation == float(Fraction(24, 16 * run.cycles))
    assert result.totals.time_s == pytest.approx(run.cycles / 400e6)
    assert result.bounds.mac_cycles == 2  # 24 MACs on 16 PEs
    assert result.bounds.compute_cycles == 24
    assert result.manifest["machine"]["peak_macs_per_cycle"] == 16
    assert [layer.name for layer in result.layers] == ["layer0", "layer1"]
    assert result.layers[1].utilisation == 0


def test_result_reads_back(tmp_path: Path) -> None:
    _, result, _ = _two_layers()
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    result.write_json(first)
    again = read_json(first)
    assert again == result
    again.write_json(second)
    assert first.read_bytes() == second.read_bytes()
    keys = list(json.loads(first.read_text()))
    assert keys == ["schema", "manifest", "totals", "bounds", "layers", "placement", "checks", "not_modelled"]


@pytest.mark.parametrize("text", ["[]", "{", '{"schema": "other/1"}', '{"schema": "tilewright.result/1"}', "NaN"])
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "r.json"
    path.write_text(text)
    with pytest.raises(InputError):
        read_json(path)


def test_frame_has_one_row_per_layer() -> None:
    pytest.importorskip("pandas")
    _, result, _ = _two_layers()
    frame = result.to_frame()
    assert frame["cycles"].sum() == result.totals.cycles
    assert list(frame["dram_read_bytes"]) == [160, 32]


def _layer(result: Result, **changes: Any) -> Result:
    return replace(result, layers=(replace(result.layers[0], **changes), *result.layers[1:]))


def _stall(result: Result, cause: str, by: int) -> Result:
    stalls = result.layers[0].stall_cycles
    return _layer(result, stall_cycles=stalls | {cause: stalls[cause] + by})


def _lost_in_the_scratchpad(result: Result) -> Result:
    traffic = result.layers[0].traffic_bytes
    weight = {tensor: flow | {"write": 0} for tensor, flow in traffic["weight"].items()}
    return _layer(result, traffic_bytes=traffic | {"weight": weight})


TAMPERED = {
    "macs": (lambda r: replace(r, totals=replace(r.totals, macs=r.totals.macs + 1)), "MACs are conserved"),
    "layer macs": (lambda r: _layer(r, macs=r.layers[0].macs - 1), "MACs are conserved"),
    "negative": (lambda r: _layer(r, start_cycle=-1), "no count is negative"),
    "bytes": (lambda r: replace(r, totals=replace(r.totals, dram_read_bytes=1)), "DRAM bytes"),
    "arrived bytes": (_lost_in_the_scratchpad, "DRAM bytes"),
    "bound": (
        lambda r: replace(r, bounds=replace(r.bounds, dram_cycles=10**6, lower_bound_cycles=10**6)),
        "cycles are at least",
    ),
    "stall": (lambda r: _stall(r, "vector", 1), "compute and stalls sum"),
    "window": (lambda r: _layer(r, end_cycle=r.layers[0].end_cycle + 1), "compute and stalls sum"),
    "utilisation": (lambda r: replace(r, totals=replace(r.totals, utilisation=1.5)), "utilisation"),
    "energy": (lambda r: replace(r, totals=replace(r.totals, energy_pj=r.totals.energy_pj * 1.01)), "energies"),
    "component": (lambda r: _layer(r, energy_pj=r.layers[0].energy_pj | {"mac": 0.0}), "energies"),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_a_tampered_result_is_caught(name: str) -> None:
    change, law = TAMPERED[name]
    program, result, run = _two_layers()
    checks = check_result(change(result), program, run, MACHINE)
    assert next(check.name for check in checks if not check.ok).startswith(law)
    with pytest.raises(InternalError, match="is violated"):
        require("toy", checks)


def test_a_tampered_run_is_caught() -> None:
    program, result, run = _two_layers()
    twice = replace(run, bus=[*run.bus, run.bus[0]])
    late = replace(run, spans=(replace(run.spans[0], end=0), *run.spans[1:]))
    kept = replace(run, occupancy=run.occupancy[:-1])
    work = [span.last - span.begin for span in run.spans]
    hurried = [
        replace(run, spans=(*run.spans[:at], replace(run.spans[at], last=span.begin), *run.spans[at + 1 :]))
        for at, span in enumerate(run.spans)
        if work[at]
    ]
    failed = [
        [check.name.split()[1] for check in check_result(result, program, tampered, MACHINE) if not check.ok]
        for tampered in (twice, late, kept)
    ]
    assert failed == [["bus"], ["count"], ["tile"]]
    engines = {command.engine for command, cycles in zip(program.commands, work, strict=True) if cycles}
    assert engines == {"load", "array", "vector", "store"}
    for tampered in hurried:
        broken = [check.detail for check in check_result(result, program, tampered, MACHINE) if not check.ok]
        assert any(detail.endswith("; 1 commands faster than their work") for detail in broken)


def test_annotations_are_one_per_layer() -> None:
    with pytest.raises(InternalError, match="1 annotations, 2 layers"):
        simulate(program_of([[tile()], [tile()]]), MACHINE, {}, [NOTE], {}, [])


def test_an_empty_program_gives_an_empty_result() -> None:
    result = simulate(Program("none", "toy", (), (), 0), MACHINE, {}, [], {}, [])
    assert result.totals.cycles == 0 and result.bounds.lower_bound_cycles == 0 and result.totals.utilisation == 0
