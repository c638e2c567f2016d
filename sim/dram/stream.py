"""Exact closed form of a sequential stream: many column commands at once, up to the next event that can interact.

Taken when one run of consecutive bursts is alone: every queued burst is of it, the queue is full, nothing waits in the
other direction. While all rows are open, one burst leaves the queue every `step` ticks, always the oldest, and the next
of the run enters one tick later:

* the bank groups of consecutive bursts rotate, and a group's turn comes round no sooner than ccd_l allows: `step` is
  max(ccd_s, burst);
* or all bursts lie in one bank group: `step` is max(ccd_l, ccd_s, burst).

The skip ends before: the first burst whose row is not open enters; a refresh is due; a request of another port has
arrived; the run has entered to its end; the time to advance to. Everything the steps would have left behind is set:
queue, bank, group and bus constraints, counts, timeline. Equality with the steps is a property test.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from sim.dram.banks import Banks
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
    count = len(queue)
    if (
        count != c.dram.queue
        or count < 2
        or c.order[1 - mode]
        or port.request is not oldest.request
        or port.left < LEAST
        or oldest.burst != port.next - count
        or next(iter(queue)) != oldest.seq
        or c.passed[mode]
    ):
        return False
    last = next(reversed(queue.values()))
    if last.request is not oldest.request or last.burst != port.next - 1 or last.seq - oldest.seq != count - 1:
        return False
    step = _step(c, oldest, tick)
    if not step:
        return False
    most = min(port.left, (_quiet_until(c, port, limit) - 2 - tick) // step + 1)
    bursts = open_ahead(c, oldest, count, tick, step, most) if most >= LEAST else 0
    if not bursts:
        return False
    _apply(c, oldest, tick, step, bursts)
    return True


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
    if shifts["bg"] or groups * least < t.ccd_l or c.dram.queue <= groups:
        return 0
    if tick != banks.bus_end - banks.latency[mode] - t.burst + least or banks.bus_direction != mode:
        return 0
    first = oldest.burst & (groups - 1)
    base = banks.rank_of[oldest.bank] * groups
    for offset in range(groups):
        if banks.group_ok[mode][base + (first + offset & (groups - 1))] > tick + offset * least:
            return 0
    return least


def _quiet_until(c: Controller, port: Port, limit: int) -> int:
    """Return the first tick at which something else can happen."""
    quiet = min(limit, *c.banks.due)
    for other in c.ports:
        if other is not port and other.left and other.request is not None:
            quiet = min(quiet, other.request.arrival_tick)
    return quiet


def _apply(c: Controller, oldest: Entry, tick: int, step: int, bursts: int) -> None:
    """Leave everything as `bursts` steps would, the last one's replacement entered."""
    banks, mode, port, request = c.banks, c.mode, oldest.port, oldest.request
    t, queue = banks.timing, c.order[mode]
    count = len(queue)
    end_tick = tick + (bursts - 1) * step
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
    c.passed[mode] = 0
    _refill(c, port, oldest, tick, step, bursts, count)
    c.turn = c.ports.index(port)
    c.tick, c.enter_ok = end_tick + 1, end_tick + 2
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
            place = c.map.place(last)
            bank = (place.rank * c.map.bank_groups + place.bank_group) * c.map.banks + place.bank
            sent = (last - at) // groups + 1
            banks.counts.row_hits += sent - banks.fresh[bank]
            banks.fresh[bank] = banks.refreshed[bank] = False
            banks.after_columns(bank, c.mode, tick + (last - burst) * step)
        at = stop


def _refill(c: Controller, port: Port, oldest: Entry, tick: int, step: int, bursts: int, count: int) -> None:
    """Replace the bursts that left by those that entered."""
    mode, request = c.mode, oldest.request
    queue = c.order[mode]
    start = port.next
    kept = [entry for entry in queue.values() if entry.burst >= oldest.burst + bursts]
    queue.clear()
    c.by_bank[mode].clear()
    c.seq = oldest.seq + count - 1
    for entry in kept:
        queue[entry.seq] = entry
        c.by_bank[mode].setdefault(entry.bank, deque()).append(entry)
    first = max(0, bursts - count)
    c.seq += first
    for number in range(first, bursts):
        entry = c.entry(port, request, start + number, tick + number * step + 1)
        queue[entry.seq] = entry
        c.by_bank[mode].setdefault(entry.bank, deque()).append(entry)
    port.step(bursts)
