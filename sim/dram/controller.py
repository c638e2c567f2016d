"""The DRAM controller of one channel: FR-FCFS over bounded queues, read and write batches, refresh.

What happens in a tick, in this order:

1. at most one burst enters: of the ports with a burst that has arrived and room in the queue of its direction, the next
   in turn (round robin). A place is free from the tick after the column command of its burst;
2. the direction changes if the other one has a burst queued and this one has none, or has sent `batch` column commands;
3. one column command: of the bursts of the direction whose row is open and whose constraints hold, the oldest;
4. else (or as well, where row commands have their own bus) one row command, of a rank that is due for refresh first: a
   precharge of all its banks, then the refresh; else, by age, an activate of a closed bank for its oldest burst, or a
   precharge of a bank that has bursts queued but none for its open row.

From its due tick until its refresh a rank takes nothing else. After `bypass_limit` bursts have passed the oldest of the
direction, only that one may send its column command, and its bank is precharged for it. Under the closed-page policy
a column command closes its bank if no queued burst of the direction wants the row.
"""

from __future__ import annotations

from collections import deque

from hw_models.dram import TimedDram
from sim.dram.banks import CLOSED, Banks
from sim.dram.hits import run_hits
from sim.dram.ports import READ, WRITE, Entry, Port, Request
from sim.dram.report import ChannelCounts
from sim.dram.stream import skip_stream
from workloads.errors import InternalError

NEVER = 1 << 200
COLUMN, ACTIVATE, PRECHARGE, CLOSE_RANK, REFRESH = range(5)
STALLED_COMMANDS = 4096
"""Row commands in a row without a column command while bursts wait: more is a livelock of the model."""


class Controller:
    """One channel; `submit` requests to ports, `advance` time.

    Parameters
    ----------
    directions : sequence of int
        One port each.
    fast : bool
        Skip along sequential streams where the outcome is known exactly; the result does not depend on it.
    log : list, optional
        Receives (tick, kind, bank or rank, row) of every command; only without `fast`.
    """

    def __init__(
        self,
        dram: TimedDram,
        directions: tuple[int, ...],
        *,
        fast: bool = True,
        log: list[tuple[int, int, int, int]] | None = None,
    ) -> None:
        self.dram, self.map = dram, dram.map
        self.banks = Banks(dram)
        self.ports = [Port(direction) for direction in directions]
        self.fast, self._log = fast and log is None, log
        self.tick = 0
        """Everything before this tick is done."""
        self.mode = READ
        self.sent = 0
        """Column commands since the direction changed."""
        self.order: tuple[dict[int, Entry], dict[int, Entry]] = ({}, {})
        """Queued bursts of each direction by age."""
        self.by_bank: tuple[dict[int, deque[Entry]], dict[int, deque[Entry]]] = ({}, {})
        self.passed = [0, 0]
        """Bursts that have passed the oldest of each direction."""
        self.seq = 0
        self.turn = len(self.ports) - 1
        self.enter_ok = 0
        self.finished: list[Request] = []
        """Requests whose last column command is sent, with `end_tick` set."""
        self._plan: tuple[int, int, Entry | None, int] | None = None
        self._stalled = 0
        self._row_tick = NEVER
        self.skipped = 0
        """Bursts that were not stepped."""

    def submit(self, port: int, request: Request) -> None:
        """Queue `request` at `port`; it arrives no earlier than the current tick."""
        if request.arrival_tick < self.tick:
            raise InternalError(f"DRAM request arrives at tick {request.arrival_tick}, time is {self.tick}")
        self.ports[port].submit(request)

    def advance(self, limit: int) -> None:
        """Do everything that happens before tick `limit`."""
        while True:
            enter = self._enter_tick()
            plan = self._plan
            if plan is None:
                plan = self._plan = self._next_command()
            if enter <= plan[0]:
                if enter >= limit:
                    break
                self._enter(enter)
                continue
            if plan[0] >= limit:
                break
            if self.fast and plan[1] == COLUMN and plan[2] is not None and self._skip(plan[2], plan[0], limit):
                self._plan = None
                self._stalled = 0
                continue
            self._send(plan)
        self.tick = max(self.tick, limit)

    def _skip(self, entry: Entry, tick: int, limit: int) -> bool:
        return skip_stream(self, entry, tick, limit) or run_hits(self, tick, self._row_tick, limit)

    def settle(self) -> int:
        """Run until every request is finished; return the end of the last data."""
        while any(port.left for port in self.ports) or self.order[0] or self.order[1]:
            self.advance(self.tick + self.dram.standard.timing.refi)
        return self.banks.bus_end

    def counts(self, tick: int) -> ChannelCounts:
        """Return the counts at `tick`, which is not before the current one."""
        self.advance(tick)
        return self.banks.finish(tick)

    # --- entering -------------------------------------------------------------------------------------------------

    def _enter_tick(self) -> int:
        """Return the first tick at which a burst can enter a queue."""
        best, room = NEVER, self.dram.queue
        for port in self.ports:
            if port.left and len(self.order[port.direction]) < room:
                assert port.request is not None
                best = min(best, port.request.arrival_tick)
        return max(best, self.enter_ok)

    def _enter(self, tick: int) -> None:
        """Take one burst of the port whose turn it is."""
        ports, room = self.ports, self.dram.queue
        for step in range(1, len(ports) + 1):
            index = (self.turn + step) % len(ports)
            port = ports[index]
            request = port.request
            if request is not None and request.arrival_tick <= tick and len(self.order[port.direction]) < room:
                break
        else:
            raise InternalError("DRAM controller: no burst to take at the tick it was expected")
        self.turn, self.enter_ok, self.tick = index, tick + 1, tick
        entry = self.entry(port, request, port.next, tick)
        port.step(1)
        self._queue(entry, port.direction)

    def entry(self, port: Port, request: Request, burst: int, tick: int) -> Entry:
        """Return the queue entry of `burst`, taken at `tick`."""
        bank, row = self.map.bank_and_row(burst)
        self.seq += 1
        return Entry(self.seq, burst, bank, row, tick, request, port)

    def _queue(self, entry: Entry, direction: int) -> None:
        self.order[direction][entry.seq] = entry
        waiting = self.by_bank[direction].get(entry.bank)
        if waiting is None:
            self.by_bank[direction][entry.bank] = deque((entry,))
            changed = True
        else:
            changed = waiting[-1].row != entry.row
            waiting.append(entry)
        if (changed and direction == self.mode) or self.turn_direction():
            self._plan = None

    def turn_direction(self) -> bool:
        """Change the direction if it is time to."""
        other = 1 - self.mode
        if self.order[other] and (not self.order[self.mode] or self.sent >= self.dram.batch):
            self.mode, self.sent = other, 0
            return True
        return False

    # --- commands -------------------------------------------------------------------------------------------------

    def _next_command(self) -> tuple[int, int, Entry | None, int]:
        """Return (tick, kind, burst, bank or rank) of the next command if nothing enters before it."""
        banks, mode, now = self.banks, self.mode, self.tick
        strict = self._strict()
        column: Entry | None = None
        row: Entry | None = None
        column_at, row_at, row_kind = NEVER, NEVER, ACTIVATE
        open_row, rank_of, due = banks.open_row, banks.rank_of, banks.due
        for bank, waiting in self.by_bank[mode].items():
            first = waiting[0]
            wanted = open_row[bank]
            hit: Entry | None = None
            if wanted == first.row:
                hit = first
            elif wanted != CLOSED and first is not strict:
                hit = next((entry for entry in waiting if entry.row == wanted), None)
            if hit is not None:
                if strict is not None and hit is not strict:
                    continue
                at = max(now, banks.column_tick(bank, mode))
                if at < due[rank_of[bank]] and (column is None or (at, hit.seq) < (column_at, column.seq)):
                    column, column_at = hit, at
                continue
            kind = ACTIVATE if wanted == CLOSED else PRECHARGE
            at = max(now, banks.activate_tick(bank) if kind == ACTIVATE else banks.precharge_tick(bank))
            if at < due[rank_of[bank]] and (row is None or (at, first.seq) < (row_at, row.seq)):
                row, row_at, row_kind = first, at, kind
        best = (row_at, row_kind, row, row.bank if row is not None else 0)
        if min(due) <= min(column_at, row_at):
            best = self._refresh(best)
        self._row_tick = best[0]
        if column is not None and column_at <= best[0]:
            return column_at, COLUMN, column, column.bank
        return best

    def _refresh(self, best: tuple[int, int, Entry | None, int]) -> tuple[int, int, Entry | None, int]:
        """Return the earlier of row command `best` and what a due rank needs; ranks in order, before other rows."""
        banks, found = self.banks, None
        for rank in range(banks.ranks):
            at, whole = banks.refresh_tick(rank)
            at = max(self.tick, at)
            if at <= best[0] and (found is None or at < found[0]):
                found = (at, REFRESH if whole else CLOSE_RANK, None, rank)
        return best if found is None else found

    def _strict(self) -> Entry | None:
        """Return the oldest burst if it alone may go."""
        if self.passed[self.mode] < self.dram.bypass_limit:
            return None
        return next(iter(self.order[self.mode].values()), None)

    def _send(self, plan: tuple[int, int, Entry | None, int]) -> None:
        tick, kind, entry, place = plan
        self._plan = None
        self.tick = tick
        self.enter_ok = max(self.enter_ok, tick + 1)
        if self._log is not None:
            self._log.append((tick, kind, place, entry.row if entry is not None else -1))
        if kind == COLUMN:
            assert entry is not None
            self._stalled = 0
            self._send_column(entry, tick)
            return
        self._stalled = self._stalled + 1 if self.order[0] or self.order[1] else 0
        if self._stalled > STALLED_COMMANDS:
            raise InternalError(
                f"DRAM controller: {STALLED_COMMANDS} row commands up to tick {tick} and no data, "
                f"{len(self.order[0])} reads and {len(self.order[1])} writes wait; the model is at fault"
            )
        if kind == ACTIVATE:
            assert entry is not None
            self.banks.activate(entry, tick)
        elif kind == PRECHARGE:
            self.banks.precharge(place, tick)
        elif kind == CLOSE_RANK:
            self.banks.precharge_rank(place, tick)
        else:
            self.banks.refresh(place, tick)

    def _send_column(self, entry: Entry, tick: int) -> None:
        mode = self.mode
        order, waiting = self.order[mode], self.by_bank[mode][entry.bank]
        oldest = next(iter(order))
        self.passed[mode] = 0 if oldest == entry.seq else self.passed[mode] + 1
        del order[entry.seq]
        if waiting[0] is entry:
            waiting.popleft()
        else:
            waiting.remove(entry)
        if not waiting:
            del self.by_bank[mode][entry.bank]
        end = self.banks.column(entry, mode, tick)
        if self.dram.page == "closed" and all(other.row != entry.row for other in waiting):
            self.banks.precharge_with_column(entry.bank)
        self.sent += 1
        request = entry.request
        request.columns_left -= 1
        if request.begin_tick < 0:
            request.begin_tick = end - self.banks.timing.burst
        request.end_tick = end
        if not request.columns_left:
            self.finished.append(request)
        self.turn_direction()

    # --- bounds ---------------------------------------------------------------------------------------------------

    def least_end_tick(self, port: Port, request: Request) -> int:
        """Return a tick before which `request` cannot have all its data."""
        timing = self.banks.timing
        if not request.columns_left:
            return request.end_tick
        start = max(self.tick, request.arrival_tick)
        latency = timing.cl if port.direction == READ else timing.cwl
        return start + (request.columns_left - 1) * timing.burst + latency + timing.burst


__all__ = ["READ", "WRITE", "Controller"]
