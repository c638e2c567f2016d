"""Row commands under a sequential stream: how far its column commands go on without a pause.

While a stream goes on, its bursts enter the queue long before they leave it, and the rows of the next stripe are opened
in the ticks between column commands. Only these few row commands are stepped, by the rules of the controller: of the
banks that have a burst queued and another row open or none, the one that can be sent first, the oldest of equals,
never in the tick of a column command where commands share a bus. The stream goes on up to the first burst whose row is
not open, and ready, in its turn.

Every bank has one row in a call: the stream ends before it would come to another row of a bank that it has used, or to
another rank.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sim.dram.banks import CLOSED
from sim.dram.pace import Pace
from sim.dram.ports import Entry

if TYPE_CHECKING:
    from sim.dram.controller import Controller


@dataclass(slots=True)
class _Need:
    """A row that is not open: bursts after the oldest that its first burst stands, tick it is known from, bank, row."""

    place: int
    known: int
    bank: int
    row: int


def open_ahead(c: Controller, oldest: Entry, pace: Pace, most: int) -> int:
    """Return how many bursts of a stream leave at its pace, `most` at most; send their row commands."""
    found = _needs(c, pace, most)
    if found is None:
        return 0
    needs, most = found
    return _send(c, oldest, pace, needs, most) if needs and most > 0 else most


def _needs(c: Controller, pace: Pace, most: int) -> tuple[list[_Need], int] | None:
    """Return the rows to open, by age, and how many bursts can leave for all other reasons; None for no stream."""
    banks, bits, base, queued = c.banks, c.map.stripe_bits, pace.base, pace.queued
    rotating = c.map.shifts["bg"] < c.map.shifts["co"]
    groups = c.map.bank_groups if rotating else 1
    many = c.dram.page == "open" and (rotating or c.map.bank_groups == 1)
    needs: list[_Need] = []
    used: set[int] = set()
    column_ok = banks.column_ok[c.mode]
    exact = int(pace.step == banks.timing.burst)  # else the idle bus before a burst has a cause, and a row is none
    at = base
    while at - base < queued + pace.entered(most):
        stop = min(((at >> bits) + 1) << bits, base + queued + pace.entered(most))
        for burst in range(at, min(at + groups, stop)):
            place = burst - base
            bank, row = c.map.bank_and_row(burst)
            if bank in used or banks.rank_of[bank] != banks.bus_rank or (at > base and not many):
                return None if place < queued else (needs, min(most, pace.before(place - queued)))
            used.add(bank)
            if banks.open_row[bank] != row:
                if not many:
                    return None
                needs.append(_Need(place, pace.tick if place < queued else pace.enters(place - queued), bank, row))
            elif column_ok[bank] >= pace.leaves(place) + exact:
                most = min(most, place)
        at = stop
    return needs, most


def _send(c: Controller, oldest: Entry, pace: Pace, needs: list[_Need], most: int) -> int:
    """Send the row commands of `needs` in order of time; return how many bursts leave before one is late."""
    banks, one_bus, column_ok = c.banks, not c.dram.standard.separate_row_commands, c.banks.column_ok[c.mode]
    tick, step, exact = pace.tick, pace.step, int(pace.step == banks.timing.burst)
    if one_bus and step == 1:
        return min(most, needs[0].place)
    waiting: list[_Need] = []
    now, coming = tick, 0
    while waiting or coming < len(needs):
        first = waiting[0] if waiting else needs[coming]
        end = pace.leaves(min(most, first.place) - 1)
        best, best_at = None, end + 1
        for need in waiting:
            closed = banks.open_row[need.bank] == CLOSED
            at = max(now, banks.activate_tick(need.bank) if closed else banks.precharge_tick(need.bank))
            if one_bus and not (at - tick) % step:
                at += 1
            if at < best_at:
                best, best_at = need, at
        if coming < len(needs) and needs[coming].known <= min(best_at, end + 1):
            now = max(now, needs[coming].known)
            waiting.append(needs[coming])
            coming += 1
        elif best is None:
            break
        else:
            now = best_at
            if banks.open_row[best.bank] != CLOSED:
                banks.precharge(best.bank, now)
                continue
            banks.activate(
                Entry(0, oldest.burst + best.place, best.bank, best.row, now, oldest.request, oldest.port), now
            )
            waiting.remove(best)
            if column_ok[best.bank] >= pace.leaves(best.place) + exact:
                most = min(most, best.place)
    unmet = waiting + needs[coming:]
    return min([most, *(need.place for need in unmet)])
