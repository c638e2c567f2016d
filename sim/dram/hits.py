"""Column commands back to back: the common case of the controller's steps in one tight loop, with the same outcome.

Taken while the oldest burst of the direction finds its row open and the data bus is the only thing it waits for: no
other burst can then be earlier, and of equals the oldest goes first. The loop ends where anything else may happen: a row
command, a refresh, the direction's turn, a burst of another port, a constraint other than the bus.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sim.dram.controller import Controller
    from sim.dram.ports import Port

CHECK_EVERY = 16
"""After so many bursts the caller looks again for a longer skip."""


def run_hits(c: Controller, tick: int, row_tick: int, limit: int) -> bool:
    """Send column commands from `tick` on as the module says; tell whether there was one.

    Parameters
    ----------
    row_tick : int
        Earliest tick of the next row command if no burst enters.
    limit : int
        Only ticks before it.
    """
    mode, banks = c.mode, c.banks
    port = next(iter(c.order[mode].values())).port
    quiet = _quiet(c, port, limit)
    if quiet <= tick or c.dram.page == "closed" or banks.bus_direction != mode or c.passed[mode]:
        return False
    order, by_bank, other = c.order[mode], c.by_bank[mode], c.order[1 - mode]
    t, latency, counts = banks.timing, banks.latency[mode], banks.counts
    group_ok, column_ok, rank_ok = banks.group_ok[mode], banks.column_ok[mode], banks.rank_ok[mode]
    open_row, group_of, rank_of, fresh = banks.open_row, banks.group_of, banks.rank_of, banks.fresh
    burst, ccd_s, one_bus, sent = t.burst, t.ccd_s, not c.dram.standard.separate_row_commands, 0
    at = -1
    while order and sent < CHECK_EVERY:
        entry = next(iter(order.values()))
        bank = entry.bank
        rank, group = rank_of[bank], group_of[bank]
        at = banks.bus_end - latency
        if (
            at < tick
            or open_row[bank] != entry.row
            or rank != banks.bus_rank
            or group_ok[group] > at
            or column_ok[bank] >= at
            or rank_ok[rank] > at
            or banks.column_bus_ok > at
            or at > row_tick
            or at + 1 >= quiet
        ):
            break
        # the command
        waiting = by_bank[bank]
        if waiting[0] is not entry:
            break
        del order[entry.seq]
        waiting.popleft()
        if not fresh[bank]:
            counts.row_hits += 1
        fresh[bank] = banks.refreshed[bank] = False
        banks.after_columns(bank, mode, at)
        banks.bus_end = end = at + latency + burst
        rank_ok[rank] = at + ccd_s
        banks.column_bus_ok = at + 1
        if one_bus:
            banks.row_bus_ok = at + 1
            row_tick = max(row_tick, at + 1)
        request = entry.request
        request.columns_left -= 1
        if request.begin_tick < 0:
            request.begin_tick = end - burst
        request.end_tick = end
        if not request.columns_left:
            c.finished.append(request)
        sent += 1
        c.tick, c.enter_ok = at, max(c.enter_ok, at + 1)
        if not waiting:
            del by_bank[bank]
        turned = bool(other) and c.sent + sent >= c.dram.batch
        if turned or not order or row_tick <= at or (waiting and waiting[0].row != entry.row):
            break
        # the burst that takes its place
        if port.left and not _enter(c, port, at + 1):
            break
    if not sent:
        return False
    c.sent += sent
    if mode:
        counts.writes += sent
        banks.rank_ok[0][banks.bus_rank] = banks.bus_end + t.wtr_s
    else:
        counts.reads += sent
    counts.busy_ticks += sent * burst
    banks.timeline.add(mode, banks.bus_end - sent * burst, banks.bus_end)
    c.skipped += sent
    c.turn_direction()
    return True


def _quiet(c: Controller, port: Port, limit: int) -> int:
    """Return the first tick at which a refresh or a burst of another port may come, or 0 if one may at any time."""
    quiet = min(limit, *c.banks.due)
    for other in c.ports:
        if other is port or not other.left:
            continue
        assert other.request is not None
        if len(c.order[other.direction]) < c.dram.queue or other.direction == port.direction:
            quiet = min(quiet, other.request.arrival_tick)
    return quiet


def _enter(c: Controller, port: Port, tick: int) -> bool:
    """Take the next burst of `port` at `tick`; tell whether the loop can go on after it."""
    request = port.request
    assert request is not None
    if request.arrival_tick > tick or len(c.order[port.direction]) != c.dram.queue - 1:
        return False
    entry = c.entry(port, request, port.next, tick)
    port.step(1)
    c.turn, c.enter_ok, c.tick = c.ports.index(port), tick + 1, tick
    c.order[port.direction][entry.seq] = entry
    waiting = c.by_bank[port.direction].get(entry.bank)
    if waiting is None:
        c.by_bank[port.direction][entry.bank] = deque((entry,))
        return c.banks.open_row[entry.bank] == entry.row
    known = waiting[-1].row == entry.row
    waiting.append(entry)
    return known
