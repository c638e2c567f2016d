"""Column commands back to back: the common case of the controller's steps in one tight loop, with the same outcome.

Taken while the data bus is the only thing that a queued burst with an open row waits for: no other burst can then be
earlier, and of equals the oldest goes first. The loop ends where anything else may happen: a row
command, a refresh, the direction's turn, a burst of another port, a constraint other than the bus.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from sim.dram.ports import Entry

if TYPE_CHECKING:
    from sim.dram.controller import Controller
    from sim.dram.ports import Port

CHECK_EVERY = 6
"""After so many bursts the caller looks again for a longer skip."""


def run_hits(c: Controller, tick: int, row_tick: int, limit: int) -> bool:
    """Send column commands from `tick` on as the module says; tell whether anything happened.

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
    if quiet <= tick or c.dram.page == "closed" or banks.bus_direction != mode:
        return False
    if c.passed[mode] >= c.dram.bypass_limit:
        return False
    order, by_bank, other = c.order[mode], c.by_bank[mode], c.order[1 - mode]
    t, latency, counts = banks.timing, banks.latency[mode], banks.counts
    group_ok, column_ok, rank_ok = banks.group_ok[mode], banks.column_ok[mode], banks.rank_ok[mode]
    open_row, group_of, rank_of, fresh = banks.open_row, banks.group_of, banks.rank_of, banks.fresh
    ccd_l, rtp, pre_ok, bypass, batch = t.ccd_l, t.rtp, banks.pre_ok, c.dram.bypass_limit, c.dram.batch
    burst, ccd_s, one_bus, sent = t.burst, t.ccd_s, not c.dram.standard.separate_row_commands, 0
    seq = c.seq
    while order and sent < CHECK_EVERY:
        at = banks.bus_end - latency
        if at + 1 >= quiet or not _enter_all(c, port, at, row_tick):
            break
        if at < tick or at > row_tick or banks.column_bus_ok > at or rank_ok[banks.bus_rank] > at:
            break
        oldest = None
        for entry in order.values():
            oldest = oldest or entry
            bank = entry.bank
            group = group_of[bank]
            if (
                open_row[bank] == entry.row
                and group_ok[group] <= at
                and column_ok[bank] <= at
                and rank_of[bank] == banks.bus_rank
            ):
                break
        else:
            break
        rank, waiting = rank_of[bank], by_bank[bank]
        c.passed[mode] = 0 if entry is oldest else c.passed[mode] + 1
        del order[entry.seq]
        if waiting[0] is entry:
            waiting.popleft()
        else:
            waiting.remove(entry)
        if not fresh[bank]:
            counts.row_hits += 1
        fresh[bank] = banks.refreshed[bank] = False
        if mode:
            banks.after_columns(bank, mode, at)
        else:
            group_ok[group] = at + ccd_l
            if at + rtp > pre_ok[bank]:
                pre_ok[bank] = at + rtp
        banks.bus_end = end = at + latency + burst
        rank_ok[rank] = at + ccd_s
        banks.column_bus_ok = at + 1
        if one_bus:
            banks.row_bus_ok = at + 1
            if row_tick == at:
                row_tick = at + 1
        request = entry.request
        request.columns_left -= 1
        if request.begin_tick < 0:
            request.begin_tick = end - burst
        request.end_tick = end
        if not request.columns_left:
            c.finished.append(request)
        sent += 1
        c.tick = at
        if c.enter_ok <= at:
            c.enter_ok = at + 1
        if not waiting:
            del by_bank[bank]
        turned = bool(other) and c.sent + sent >= batch
        if turned or not order or row_tick <= at or c.passed[mode] >= bypass:
            break
        if waiting and waiting[0].row != entry.row and all(rest.row != entry.row for rest in waiting):
            break
    if not sent:
        return c.seq != seq
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


def _enter_all(c: Controller, port: Port, at: int, row_tick: int) -> bool:
    """Take the bursts of `port` that enter up to tick `at`; tell whether the loop can go on after them."""
    order, by_bank, room = c.order[port.direction], c.by_bank[port.direction], c.dram.queue
    if not port.left or len(order) >= room:
        return True
    ro, rows, ra, ranks, bg, groups, ba, banks = c.map.cuts
    open_row, hashed = c.banks.open_row, c.map.hashed
    index = c.ports.index(port)
    while port.left and len(order) < room:
        request = port.request
        assert request is not None
        tick = c.enter_ok
        if request.arrival_tick > tick:
            tick = request.arrival_tick
        if tick > at:
            return True
        if tick > row_tick:
            return False
        burst = port.next
        row, bank = burst >> ro & rows, burst >> ba & banks
        if hashed:
            bank ^= row & banks
        bank += ((burst >> ra & ranks) * (groups + 1) + (burst >> bg & groups)) * (banks + 1)
        c.seq += 1
        entry = Entry(c.seq, burst, bank, row, tick, request, port)
        if port.left > 1:
            port.next += 1
            port.left -= 1
        else:
            port.step(1)
        c.turn, c.enter_ok, c.tick = index, tick + 1, tick
        order[entry.seq] = entry
        waiting = by_bank.get(bank)
        if waiting is None:
            by_bank[bank] = deque((entry,))
            if open_row[bank] != row:
                return False
        else:
            known = waiting[-1].row == row
            waiting.append(entry)
            if not known:
                return False
    return True
