"""Traces: readable, the same bytes again, capped with a note."""

from __future__ import annotations

import gzip
import json
from itertools import pairwise
from pathlib import Path

import pytest

from sim.machine import run_program
from sim.trace import write_trace
from tests.reference.sim_programs import program_of, small_machine, tile
from workloads.errors import InputError

MACHINE = small_machine()
PROGRAM = program_of([[tile(), tile()], [tile(folds=[])]])
RUN = run_program(PROGRAM, MACHINE)


def test_slices_and_counters(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    kept = write_trace(PROGRAM, RUN, MACHINE, path)
    trace = json.loads(path.read_text())
    events = [event for event in trace["traceEvents"] if event["ph"] != "M"]
    assert len(events) == kept == trace["metadata"]["events_kept"]
    slices = [event for event in events if event["ph"] == "X"]
    assert len(slices) == len(PROGRAM.commands)
    names = {event["args"]["name"] for event in trace["traceEvents"] if event["ph"] == "M"}
    assert names == {"toy", "load", "array", "vector", "store"}
    assert max(event["ts"] + event["dur"] for event in slices) == RUN.cycles == trace["metadata"]["cycles"]
    for thread in range(1, 5):
        mine = sorted((e["ts"], e["ts"] + e["dur"]) for e in slices if e["tid"] == thread)
        assert all(first[1] <= second[0] for first, second in pairwise(mine))
    assert "1 us of the trace is 1 cycle" in trace["metadata"]["time_unit"]
    counters = {event["name"] for event in events if event["ph"] == "C"}
    assert counters == {"input bytes", "weight bytes", "accumulator bytes", "operand bytes", "output bytes", "dram bus"}
    last = {event["name"]: event["args"] for event in events if event["ph"] == "C"}
    assert all(value == 0 for args in last.values() for value in args.values())


@pytest.mark.parametrize("name", ["t.json", "t.json.gz"])
def test_same_bytes_again(tmp_path: Path, name: str) -> None:
    write_trace(PROGRAM, RUN, MACHINE, tmp_path / name)
    first = (tmp_path / name).read_bytes()
    write_trace(PROGRAM, run_program(PROGRAM, MACHINE), MACHINE, tmp_path / name)
    assert (tmp_path / name).read_bytes() == first


def test_compressed_is_the_same_trace(tmp_path: Path) -> None:
    write_trace(PROGRAM, RUN, MACHINE, tmp_path / "t.json")
    write_trace(PROGRAM, RUN, MACHINE, tmp_path / "t.json.gz")
    assert gzip.decompress((tmp_path / "t.json.gz").read_bytes()) == (tmp_path / "t.json").read_bytes()


def test_the_cap_is_stated(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    assert write_trace(PROGRAM, RUN, MACHINE, path, max_events=5) == 5
    metadata = json.loads(path.read_text())["metadata"]
    assert metadata["events_kept"] == 5 and metadata["events_dropped"] > 0


def test_other_endings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"bound is \.json or \.json\.gz"):
        write_trace(PROGRAM, RUN, MACHINE, tmp_path / "t.vcd")
