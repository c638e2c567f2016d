"""What the commands of one engine waited for before they began their work, as labelled intervals."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mappers.commands import ENGINES, Program
from sim.columns import NO_CAUSE, Columns
from sim.painting import Intervals
from sim.span_table import IntArray

HOST = "host"
"""A cause of machines whose commands come from a host."""
_HELD = {"load": "dram_read", "array": "fill_drain", "vector": "vector", "store": "dram_write"}
"""What holds a vector command that waits for an engine."""
_STEPS = 8
"""Of a command: until it is at the head of its engine, five of what it waited for, its issue, its beginning."""


def waiting(
    program: Program, columns: Columns, engine: str, label: Mapping[str, int], latency_cycles: int
) -> tuple[Intervals, IntArray]:
    """Return the time before the commands on `engine` start their work by what they waited for, and whose it is.

    Parameters
    ----------
    label : mapping of str to int
        Number of every cause.
    latency_cycles : int
        From a request of the memory to its first beat.

    Returns
    -------
    intervals, layers
        Disjoint and in order; the layer of the command of each.
    """
    own = columns.of(engine)
    until = np.empty((len(own), _STEPS), dtype=columns.head.dtype)
    cause = np.empty((len(own), _STEPS), dtype=np.int64)
    until[:, 0], cause[:, 0] = columns.head[own], _until_head(columns, own, label["fill_drain"], label)
    until[:, 1:6], cause[:, 1:6] = columns.ready[own][:, None], label["dependency"]
    until[:, 6], cause[:, 6] = columns.issue[own], label["issue"]
    until[:, 7], cause[:, 7] = columns.begin[own], label["fill_drain"]
    for name, rows, others in _blamed(program, columns, own):
        steps = _blame(columns, name, others, label, latency_cycles, by_array=engine == "array")
        for step, (end, why) in enumerate(steps, start=1):
            if end is not None:
                until[rows, step] = np.minimum(end, columns.ready[own[rows]])
            cause[rows, step] = why
    at = np.concatenate((np.zeros(1, dtype=until.dtype), columns.last[own]))[:-1]
    edges = np.maximum.accumulate(np.concatenate((at[:, None], until), axis=1), axis=1)
    starts, ends = edges[:, :-1].ravel(), edges[:, 1:].ravel()
    full = np.flatnonzero(starts < ends)
    layers = np.repeat(columns.layer[own], _STEPS)[full]
    return Intervals(starts[full], ends[full], cause.ravel()[full]), layers


def _blamed(program: Program, columns: Columns, own: IntArray) -> list[tuple[str, IntArray, IntArray]]:
    """Return, per engine, the rows of `own` whose last wait was for it, and the commands that they waited for."""
    result: list[tuple[str, IntArray, IntArray]] = []
    for number, name in enumerate(ENGINES):
        rows = np.flatnonzero(columns.cause[own] == number)
        if len(rows):
            commands = (program.commands[place] for place in own[rows].tolist())
            counts = [next(n for engine, n in command.waits if engine == name) for command in commands]
            result.append((name, rows, columns.of(name)[np.array(counts) - 1]))
    return result


def _until_head(columns: Columns, places: IntArray, label: int, labels: Mapping[str, int]) -> IntArray:
    """Return why commands were not at the head of their engine before: the host, where it handed them out just then."""
    given = columns.given[places]
    by_host = ((given >= 0) & (given == columns.head[places])).astype(bool)
    return np.where(by_host, labels.get(HOST, label), label)


def _blame(
    columns: Columns, name: str, others: IntArray, label: Mapping[str, int], latency_cycles: int, *, by_array: bool
) -> list[tuple[IntArray | None, IntArray | int]]:
    """Return (until, cause) steps up to the time the waits of commands held; None stands for that time."""
    c = columns
    if name == "store":
        return [(None, label["dram_write"])]
    if name == "array":
        return [(None, label["fill_drain" if by_array else "dependency"])]
    head, ready, issue = c.head[others], c.ready[others], c.issue[others]
    if name == "load":
        first = np.minimum(c.begin[others], issue + latency_cycles)
        return [
            (head, _until_head(c, others, label["dram_read"], label)),
            (ready, label["dependency"]),
            (issue, label["issue"]),
            (first, label["dram_latency"]),
            (None, label["dram_read"]),
        ]
    held = np.array([label["vector"], *(label[_HELD[engine]] for engine in ENGINES)])
    return [
        (head, _until_head(c, others, label["vector"], label)),
        (ready, held[c.cause[others] - NO_CAUSE]),
        (issue, label["issue"]),
        (None, label["vector"]),
    ]
