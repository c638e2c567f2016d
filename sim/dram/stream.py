"""Exact closed form of a sequential stream: many column commands at once, up to the next event that can interact.

Taken when one run of consecutive bursts is alone: every queued burst is of it, and nothing waits in the other
direction. While rows are open in time, one burst leaves the queue every `step` ticks, always the oldest, and the next
of the run enter as there is room (`sim.dram.pace`):

* the bank groups of consecutive bursts rotate, and a group's turn comes round no sooner than ccd_l allows: `step` is
  max(ccd_s, burst);
* or all bursts lie in one bank group: `step` is max(ccd_l, ccd_s, burst).

Rows of the run that are not open yet are opened in between (`sim.dram.rows`). The skip ends before: the turn of the
first burst whose row is not open by then; a refresh is due; another request has arrived or a burst of it could enter;
the last burst of the run leaves; the time to advance to. Everything the steps would have left behind is set:
queue, bank, group and bus constraints, counts, timeline. Equality with the steps is a property test.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING

from sim.dram.banks import Banks
from sim.dram.pace import Pace
from sim.dram.ports import Entry, Port
from sim.dram.rows import open_ahead

if TYPE_CHECKING:
    from sim.dram.controller import Controller

LEAST = 8
"""Shorter skips cost more than the steps."""


def skip_stream(c: Controller, oldest: Entry, tick: int, limit: int) -> bool:
    """Skip from the column command of `oldest` at `tick` if the module's conditions hold; tell whether it did."""
    mode, port = c.mode, oldest.port
    queue = c.order[mode]
    if len(queue) < 2 or c.order[1 - mode] or c.passed[mode] or next(iter(queue)) != oldest.seq:
        return False
    step = _step(c, oldest, tick)
    if not step:
        return False
    left = port.left if port.request is oldest.request and port.next == oldest.burst + len(queue) else 0
    pace = Pace(oldest.burst, tick, step, len(queue), c.dram.queue, max(c.enter_ok, tick + 1), left)
    most = _most(c, pace, port, limit)
    if most < LEAST or not _sequential(queue.values(), oldest) or not _early(c, pace, oldest):
        return False
    bursts = open_ahead(c, oldest, pace, most)
    if bursts:
        _apply(c, oldest, pace, bursts)
    return bursts > 0


def _sequential(queued: Iterable[Entry], oldest: Entry) -> bool:
    """Tell whether the queued bursts are consecutive ones of one request."""
    request = oldest.request
    return all(e.burst == burst and e.request is request for burst, e in enumerate(queued, oldest.burst))


def _early(c: Controller, pace: Pace, oldest: Entry) -> bool:
    """Tell whether every burst is queued when the one before it leaves, and so no gap before it is for want of it."""
    late = pace.tick - pace.step + c.banks.timing.burst
    return pace.first - pace.tick <= (pace.queued - 1) * pace.step and (
        pace.step == c.banks.timing.burst or oldest.arrival_tick <= late
    )


def _most(c: Controller, pace: Pace, port: Port, limit: int) -> int:
    """Return how many bursts can leave before something else can happen; the last of the run does not."""
    most = min(pace.queued + pace.left - 1, pace.until(_quiet_until(c, port, limit, pace.left > 0)))
    if c.dram.page == "closed":  # a burst closes its row where none behind it wants it
        return min(most, pace.left) if pace.queued == pace.room else 0
    arrival = port.following() if pace.left else None
    if arrival is not None:
        most = min(most, pace.until(max(arrival, pace.enters(pace.left - 1) + 1)))
    return most


def _step(c: Controller, oldest: Entry, tick: int) -> int:
    """Return the ticks between column commands, 0 if they are not the same for all."""
    banks, mode, shifts = c.banks, c.mode, c.map.shifts
    t, groups = banks.timing, c.map.bank_groups
    least = t.column_ticks
    rotating = groups > 1 and shifts["bg"] < shifts["co"]
    if not rotating:
        step = max(least, t.ccd_l)
        steady = tick == banks.bus_end - banks.latency[mode] - t.burst + step
        steady = steady and (step > t.ccd_l or banks.group_ok[mode][banks.group_of[oldest.bank]] == tick)
        return step if steady and banks.bus_direction == mode else 0
    if shifts["bg"] or groups * least < t.ccd_l or len(c.order[mode]) <= groups:
        return 0
    if tick != banks.bus_end - banks.latency[mode] - t.burst + least or banks.bus_direction != mode:
        return 0
    first = oldest.burst & (groups - 1)
    base = banks.rank_of[oldest.bank] * groups
    for offset in range(groups):
        if banks.group_ok[mode][base + (first + offset & (groups - 1))] > tick + offset * least:
            return 0
    return least


def _quiet_until(c: Controller, port: Port, limit: int, entering: bool) -> int:
    """Return the first tick at which something else can happen; the run is `entering` from `port`, or it is over."""
    quiet = min(limit, *c.banks.due)
    for other in c.ports:
        if (other is not port or not entering) and other.left and other.request is not None:
            quiet = min(quiet, other.request.arrival_tick)
    return quiet


def _apply(c: Controller, oldest: Entry, pace: Pace, bursts: int) -> None:
    """Leave everything as `bursts` steps would, what has entered in the tick after the last included."""
    banks, mode, port, request = c.banks, c.mode, oldest.port, oldest.request
    t, tick, step = banks.timing, pace.tick, pace.step
    end_tick = pace.leaves(bursts - 1)
    if step > t.burst:
        _gaps(c, oldest, tick, step, bursts)
    _constraints(banks, c, oldest.burst, tick, step, bursts)
    banks.rank_ok[mode][banks.bus_rank] = end_tick + t.ccd_s
    data_end = end_tick + banks.latency[mode] + t.burst
    if mode:
        banks.counts.writes += bursts
        banks.rank_ok[0][banks.bus_rank] = data_end + t.wtr_s
    else:
        banks.counts.reads += bursts
    banks.counts.busy_ticks += bursts * t.burst
    banks.timeline.add(mode, banks.bus_end + step - t.burst, data_end)
    banks.bus_end = data_end
    banks.command_sent(end_tick)
    if request.begin_tick < 0:
        request.begin_tick = tick + banks.latency[mode]
    request.columns_left -= bursts
    request.end_tick = data_end
    c.sent += bursts
    c.enter_ok = max(c.enter_ok, end_tick + 1)
    entered = pace.entered(bursts)
    _refill(c, oldest, pace, bursts, entered)
    if entered:
        c.turn = c.ports.index(port)
        c.enter_ok = max(c.enter_ok, pace.enters(entered - 1) + 1)
        port.step(entered)
    c.tick = end_tick + 1
    c.skipped += bursts


def _gaps(c: Controller, oldest: Entry, tick: int, step: int, bursts: int) -> None:
    """Account for the idle bus before each burst, as `Banks.column` does."""
    banks, gap = c.banks, step - c.banks.timing.burst
    groups = c.map.bank_groups if c.map.shifts["bg"] < c.map.shifts["co"] else 1
    by_group = bursts - groups if bursts > groups and groups * step == banks.timing.ccd_l else 0
    base = banks.group_of[oldest.bank] - (oldest.burst & (groups - 1))
    for offset in range(min(groups, bursts)):
        group = base + (oldest.burst + offset & (groups - 1))
        by_group += banks.group_ok[c.mode][group] == tick + offset * step
    banks.counts.gap_ticks["bank_group"] += by_group * gap
    banks.counts.gap_ticks["command"] += (bursts - by_group) * gap


def _constraints(banks: Banks, c: Controller, burst: int, tick: int, step: int, bursts: int) -> None:
    """Set what the column commands leave at every bank and group they touch."""
    bits = c.map.stripe_bits
    groups = c.map.bank_groups if c.map.shifts["bg"] < c.map.shifts["co"] else 1
    at, end = burst, burst + bursts
    while at < end:
        stop = min(end, ((at >> bits) + 1) << bits)
        for last in range(max(at, stop - groups), stop):
            bank, _ = c.map.bank_and_row(last)
            sent = (last - at) // groups + 1
            banks.counts.row_hits += sent - banks.fresh[bank]
            banks.fresh[bank] = banks.refreshed[bank] = False
            banks.after_columns(bank, c.mode, tick + (last - burst) * step)
        at = stop


def _refill(c: Controller, oldest: Entry, pace: Pace, bursts: int, entered: int) -> None:
    """Take the first `bursts` bursts out of the queue and put in those of the `entered` that have not left again."""
    queue, by_bank = c.order[c.mode], c.by_bank[c.mode]
    kept = [entry for entry in queue.values() if entry.burst >= pace.base + bursts]
    start, request, port, place = pace.base + pace.queued, oldest.request, oldest.port, c.map.bank_and_row
    for number in range(max(0, bursts - pace.queued), entered):
        bank, row = place(start + number)
        kept.append(Entry(c.seq + 1 + number, start + number, bank, row, pace.enters(number), request, port))
    c.seq += entered
    queue.clear()
    by_bank.clear()
    for entry in kept:
        queue[entry.seq] = entry
        if entry.bank in by_bank:
            by_bank[entry.bank].append(entry)
        else:
            by_bank[entry.bank] = deque((entry,))
