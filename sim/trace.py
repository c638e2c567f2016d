"""Trace of a run as Chrome trace JSON, which Perfetto opens: engines as threads, occupancy and bus as counters.

One microsecond of the trace is one cycle of the reference clock. Same run, same bytes, also when compressed.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

from hw_models.accelerator import Accelerator
from mappers.commands import ENGINES, AnyCommand, ComputeCommand, LoadCommand, Program, StoreCommand
from sim.raw_run import Run
from sim.spans import Span
from workloads.errors import InputError
from workloads.whole_file import write_whole

MAX_EVENTS = 500_000
_STREAMS = ("read", "write")


def write_trace(
    program: Program, run: Run, accelerator: Accelerator, path: Path | str, max_events: int = MAX_EVENTS
) -> int:
    """Write the trace of `run` to `path` and return the number of events.

    Parameters
    ----------
    path : Path or str
        Ends in ``.json``, or in ``.json.gz`` to compress.
    max_events : int
        Events kept, in order of time; the trace's metadata state how many were dropped.

    Raises
    ------
    InputError
        If the name has another ending.
    """
    target = Path(path)
    if not target.name.endswith((".json", ".json.gz")):
        raise InputError(f"trace '{target}': ends in '{target.suffix}', bound is .json or .json.gz; rename it")
    events = _slices(program, run) + _occupancy(run) + _bus(run)
    events.sort(key=lambda event: (event["ts"], event["tid"], event["name"]))
    kept = events[:max_events]
    trace = {
        "traceEvents": _names(program) + kept,
        "displayTimeUnit": "ns",
        "metadata": {
            "workload": program.workload,
            "accelerator": accelerator.name,
            "time_unit": "1 us of the trace is 1 cycle of the reference clock",
            "reference_clock_mhz": float(accelerator.clock_mhz),
            "cycles": run.cycles,
            "events_kept": len(kept),
            "events_dropped": len(events) - len(kept),
        },
    }
    data = (json.dumps(trace, separators=(",", ":"), ensure_ascii=False, allow_nan=False) + "\n").encode()
    if target.name.endswith(".gz"):
        data = gzip.compress(data, compresslevel=6, mtime=0)
    write_whole(target, data)
    return len(kept)


def _names(program: Program) -> list[dict[str, Any]]:
    """Return the metadata events that name the process and its threads."""
    events = [_metadata("process_name", 0, program.workload)]
    return events + [_metadata("thread_name", index + 1, engine) for index, engine in enumerate(ENGINES)]


def _metadata(kind: str, thread: int, name: str) -> dict[str, Any]:
    return {"ph": "M", "name": kind, "pid": 1, "tid": thread, "ts": 0, "args": {"name": name}}


def _slices(program: Program, run: Run) -> list[dict[str, Any]]:
    """Return one complete event per command, from its issue to its end.

    Commands in flight overlap; each then starts where the one before ended, so that slices of a thread never overlap,
    and `args` keep the true times.
    """
    events: list[dict[str, Any]] = []
    shown_until = dict.fromkeys(ENGINES, 0)
    for index, (command, span) in enumerate(zip(program.commands, run.spans, strict=True)):
        start = max(span.issue, shown_until[command.engine])
        shown_until[command.engine] = max(start, span.end)
        events.append(
            {
                "ph": "X",
                "name": program.layers[command.layer].name,
                "cat": command.engine,
                "pid": 1,
                "tid": ENGINES.index(command.engine) + 1,
                "ts": start,
                "dur": shown_until[command.engine] - start,
                "args": {"command": index, **_times(span), **_what(command)},
            }
        )
    return events


def _times(span: Span) -> dict[str, Any]:
    return {
        "ready_cycle": span.ready,
        "issue_cycle": span.issue,
        "begin_cycle": span.begin,
        "last_cycle": span.last,
        "end_cycle": span.end,
        "waited_for": span.cause,
    }


def _what(command: AnyCommand) -> dict[str, Any]:
    if isinstance(command, LoadCommand | StoreCommand):
        return {"tensor": command.tensor, "bytes": command.bytes}
    if isinstance(command, ComputeCommand):
        job = command.job
        return {
            "dataflow": command.dataflow,
            "stream": job.stream,
            "folds": job.folds,
            "macs": command.macs,
            "accumulate": command.accumulate,
        }
    return {"op": command.op, "rows": command.rows, "row_elements": command.row_elements}


def _counter(name: str, cycle: int | float, values: dict[str, int]) -> dict[str, Any]:
    return {"ph": "C", "name": name, "pid": 1, "tid": 0, "ts": cycle, "args": values}


def _occupancy(run: Run) -> list[dict[str, Any]]:
    """Return one counter per memory; of several changes in one cycle the last is kept."""
    last: dict[tuple[int, str], int] = {(cycle, memory): live for cycle, memory, live in run.occupancy}
    return [_counter(f"{memory} bytes", cycle, {"live": live}) for (cycle, memory), live in last.items()]


def _bus(run: Run) -> list[dict[str, Any]]:
    """Return the DRAM bus counter: 1 on the stream that has the bus; touching intervals of one stream are one."""
    merged: list[tuple[int, int, int]] = []
    for stream, start, end in run.bus:
        if merged and merged[-1][0] == stream and merged[-1][2] == start:
            merged[-1] = (stream, merged[-1][1], end)
        else:
            merged.append((stream, start, end))
    events = []
    for index, (stream, start, end) in enumerate(merged):
        busy = {name: int(name == _STREAMS[stream % 2]) for name in _STREAMS}
        events.append(_counter("dram bus", _cycle(start, run.bus_units), busy))
        if index + 1 == len(merged) or merged[index + 1][1] > end:
            events.append(_counter("dram bus", _cycle(end, run.bus_units), dict.fromkeys(_STREAMS, 0)))
    return events


def _cycle(units: int, per_cycle: int) -> int | float:
    """Return a bus time in cycles; whole cycles stay integers."""
    return units // per_cycle if units % per_cycle == 0 else units / per_cycle
