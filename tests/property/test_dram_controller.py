"""The DRAM controller against its tick-stepped twin, and the skip along streams against the steps."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hw_models.dram import TimedDram, load_standard
from sim.dram import stream as along
from sim.dram.controller import Controller
from sim.dram.ports import Request
from tests.reference.dram_cases import Requests, drams, requests
from tests.reference.naive_dram import NaiveDram, Work
from tests.reference.profile import examples

DIRECTIONS = (0, 1, 0)


def started(dram: TimedDram, streams: Requests, *, fast: bool, log: list[Any] | None = None) -> tuple[Controller, Any]:
    controller = Controller(dram, DIRECTIONS[: len(streams)], fast=fast, log=log)
    works = [[Request(arrival, segments) for arrival, segments in stream] for stream in streams]
    for port, stream in enumerate(works):
        for request in stream:
            controller.submit(port, request)
    return controller, works


@settings(max_examples=examples(10), deadline=None)
@given(drams(), st.integers(1, 3).flatmap(lambda ports: requests(ports, 12, 200)))
@example(TimedDram(load_standard("DDR4-2400"), 1), [[(0, [(0, 1)]), (0, [(0, 1)]), (0, [(0, 1)])]])
def test_every_command_equals_the_stepped_twin(dram: TimedDram, streams: Requests) -> None:
    log: list[tuple[int, int, int, int]] = []
    controller, works = started(dram, streams, fast=False, log=log)
    ticks = 700
    controller.advance(ticks)
    naive = NaiveDram(
        dram,
        DIRECTIONS[: len(streams)],
        [[Work(a, [f + i for f, n in s for i in range(n)]) for a, s in stream] for stream in streams],
    )
    naive.run(ticks)
    assert log == naive.log
    times = [[(r.begin_tick, r.end_tick, r.activates) for r in stream] for stream in works]
    assert times == [[(w.begin, w.end, w.activates) for w in stream] for stream in naive.ports]
    counts = controller.counts(ticks)
    assert {cause: n for cause, n in counts.gap_ticks.items() if n} == {c: n for c, n in naive.gaps.items() if n}
    assert counts.row_hits == naive.hits
    assert counts.active_rank_ticks == naive.active


def state(c: Controller) -> dict[str, Any]:
    """Return everything that later ticks depend on, and all counts."""
    banks = {key: value for key, value in vars(c.banks).items() if key not in ("counts", "timeline", "timing")}
    queued = [[(e.seq, e.burst, e.bank, e.row, e.arrival_tick) for e in order.values()] for order in c.order]
    by_bank = [{bank: [e.seq for e in d] for bank, d in waiting.items()} for waiting in c.by_bank]
    ports = [(p.next, p.left, len(p.waiting)) for p in c.ports]
    rest = (c.tick, c.mode, c.sent, c.passed, c.seq, c.turn)
    return {"banks": banks, "queued": queued, "by_bank": by_bank, "ports": ports, "rest": rest} | {
        "counts": c.banks.counts, "timeline": c.banks.timeline.intervals,
        "enter": c._enter_tick() if any(p.left for p in c.ports) else None,
    }  # fmt: skip


@settings(max_examples=examples(20), deadline=None)
@given(
    drams(),
    st.integers(1, 3).flatmap(lambda ports: requests(ports, 300, 1500)),
    st.lists(st.integers(1, 900), min_size=1, max_size=6),
)
def test_skipping_changes_nothing(dram: TimedDram, streams: Requests, pauses: list[int]) -> None:
    compare(dram, streams, pauses)


def compare(dram: TimedDram, streams: Requests, pauses: list[int]) -> None:
    """Assert that a controller that skips has the state of one that steps, at every pause and at the end."""
    stepped, slow = started(dram, streams, fast=False)
    skipped, quick = started(dram, streams, fast=True)
    at = 0
    for pause in pauses:
        at += pause
        stepped.advance(at)
        skipped.advance(at)
        assert state(skipped) == state(stepped)
    assert skipped.settle() == stepped.settle()
    assert state(skipped) == state(stepped)
    times = [[(r.begin_tick, r.end_tick, r.activates, r.columns_left) for r in stream] for stream in quick]
    assert times == [[(r.begin_tick, r.end_tick, r.activates, r.columns_left) for r in stream] for stream in slow]


@settings(max_examples=examples(20), deadline=None)
@given(
    drams(),
    st.integers(1, 3).flatmap(lambda ports: requests(ports, 300, 1500)),
    st.lists(st.integers(1, 900), min_size=1, max_size=6),
)
def test_skips_of_any_length_change_nothing(dram: TimedDram, streams: Requests, pauses: list[int]) -> None:
    """As above, with skips of a single burst on, so that small queues and short runs take them too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sim.dram.stream.LEAST", 1)
        compare(dram, streams, pauses)


@pytest.mark.parametrize(
    "segments",
    [
        [(0, 12), (30, 1), (13, 60)],
        [(0, 2), (50, 1), (3, 100)],
        [(0, 40), (40, 40), (80, 1), (80, 40)],
        [(0, 600), (600, 3), (1400, 600)],
    ],
)
def test_runs_that_jump_are_not_taken_for_one(segments: list[tuple[int, int]]) -> None:
    """First and last burst of a queue lie as far apart as in one run, and one between them is of another row."""
    dram = TimedDram(load_standard("DDR4-2400"), 1, queue=12)
    compare(dram, [[(0, segments), (300, [(700, 90)])]], [40, 90, 200, 1000])


def test_a_stream_goes_on_over_rows_up_to_the_refresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stripe of open rows has 512 bursts; of the 2,340 between two refreshes most leave in two or three skips."""
    skips: list[int] = []
    whole = along._apply
    monkeypatch.setattr(along, "_apply", lambda *given: (skips.append(given[-1]), whole(*given)))
    dram = TimedDram(load_standard("DDR4-2400"), 1)
    controller, _ = started(dram, [[(0, [(0, 20_000)])]], fast=True)
    stepped, _ = started(dram, [[(0, [(0, 20_000)])]], fast=False)
    assert controller.settle() == stepped.settle() and state(controller) == state(stepped)
    assert sum(skips) > 19_400 and len(skips) <= 3 * controller.banks.counts.refreshes + 3


@pytest.mark.parametrize("name", ["DDR4-2400", "DDR4-2400-x16", "HBM2-2000", "LPDDR5-6400"])
def test_long_streams_are_mostly_skipped(name: str) -> None:
    dram = TimedDram(load_standard(name), 1)
    streams: Requests = [[(0, [(0, 5_000)])]]
    controller, _ = started(dram, streams, fast=True)
    stepped, _ = started(dram, streams, fast=False)
    assert controller.settle() == stepped.settle()
    assert state(controller) == state(stepped)
    assert controller.skipped > 4_000


@pytest.mark.parametrize("name", ["DDR4-2400", "LPDDR4-2400", "HBM2-2000", "LPDDR5-6400"])
@pytest.mark.parametrize("page", ["open", "closed"])
def test_skipping_leaves_the_same_state_at_every_pause(name: str, page: Any) -> None:
    random = Random(name + page)
    dram = TimedDram(load_standard(name), 1, ranks=2, page=page)
    reads = [(0, [(40, 900), (5_000, 7), (9_001, 300)]), (4_000, [(1 << 16, 500)])]
    writes = [(2_500, [(1 << 18, 400), (77, 3)])]
    streams: Requests = [reads, writes]
    stepped, _ = started(dram, streams, fast=False)
    skipped, _ = started(dram, streams, fast=True)
    at = 0
    while at < 11_000:
        at += random.randrange(1, 90)
        stepped.advance(at)
        skipped.advance(at)
        assert state(skipped) == state(stepped), at
