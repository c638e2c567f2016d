"""Trace of a network-level run as Chrome trace JSON, which Perfetto opens: cores, DMA engines, occupancy, bandwidth."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

from mappers.network.program import Compute, Load
from sim.network.result import NetworkResult
from workloads.whole_file import write_whole


def write_network_trace(result: NetworkResult, path: Path | str) -> int:
    """Write the trace of `result` to `path` (``.json`` or ``.json.gz``) and return the number of events.

    One microsecond of the trace is one cycle.
    """
    cores = [row.name for row in result.cores]
    threads = {name: number for number, name in enumerate([*cores, "load", "store"], start=1)}
    events: list[dict[str, Any]] = [
        {"ph": "M", "name": "thread_name", "pid": 1, "tid": tid, "ts": 0, "args": {"name": name}}
        for name, tid in threads.items()
    ]
    shown = dict.fromkeys(threads, 0)
    slices = []
    for task, span in zip(result.program.tasks, result.run.spans, strict=True):
        thread = task.core if isinstance(task, Compute) else "load" if isinstance(task, Load) else "store"
        start = max(span.start, shown[thread])  # slices of a thread must not overlap; true times are in args
        shown[thread] = max(start, span.end)
        slices.append(
            {
                "ph": "X",
                "name": task.name,
                "pid": 1,
                "tid": threads[thread],
                "ts": start,
                "dur": shown[thread] - start,
                "args": {"start_cycle": span.start, "end_cycle": span.end, "done_cycle": span.done, **span.waits},
            }
        )
    events += sorted(slices, key=lambda event: (event["ts"], event["tid"], event["name"]))
    last = dict(result.run.memory.timeline)
    events += [
        {"ph": "C", "name": "shared scratchpad bytes", "pid": 1, "tid": 0, "ts": cycle, "args": {"live": live}}
        for cycle, live in last.items()
    ]
    series = result.over_time
    size = series.window_cycles
    for level, read in series.read_bytes.items():
        pairs = list(zip(read, series.write_bytes[level], strict=True))
        if any(map(any, pairs)):
            events += [
                {
                    "ph": "C",
                    "name": f"{level} bytes per cycle",
                    "pid": 1,
                    "tid": 0,
                    "ts": place * size,
                    "args": {"read": in_bytes / size, "write": out_bytes / size},
                }
                for place, (in_bytes, out_bytes) in enumerate(pairs)
            ]
    trace = {
        "traceEvents": events,
        "displayTimeUnit": "ns",
        "metadata": {
            "workload": result.program.workload,
            "cluster": result.program.cluster,
            "cycles": result.run.cycles,
        },
    }
    data = (json.dumps(trace, separators=(",", ":"), ensure_ascii=False) + "\n").encode()
    target = Path(path)
    write_whole(target, gzip.compress(data, compresslevel=6, mtime=0) if target.name.endswith(".gz") else data)
    return len(events)
