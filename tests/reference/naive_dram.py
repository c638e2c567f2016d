"""Naive twin of `sim.dram.controller`: walks tick by tick and checks every command against the list of all before it.

Written from the rules in the docstrings of `sim.dram.controller` and `sim.dram.banks`: pairs of commands and the least
distance between them, no running minima.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hw_models.dram import TimedDram

COLUMN, ACTIVATE, PRECHARGE, CLOSE_RANK, REFRESH = range(5)
Where = tuple[int, int, int]


@dataclass(eq=False)
class Burst:
    """One queued burst; `work` is the index of its request."""

    number: int
    where: Where
    row: int
    port: int
    work: int
    arrived: int


@dataclass(eq=False)
class Work:
    """One request of a port; two of the same bursts and arrival are two."""

    arrival: int
    bursts: list[int]
    begin: int = -1
    end: int = -1
    activates: int = 0


@dataclass
class Done:
    """One command of the past; an automatic precharge has the tick at which it starts."""

    tick: int
    kind: int
    where: Where
    direction: int = 0


@dataclass
class NaiveDram:
    """One channel; `ports` are lists of works, `directions` their directions."""

    dram: TimedDram
    directions: tuple[int, ...]
    ports: list[list[Work]]
    log: list[tuple[int, int, int, int]] = field(default_factory=list)
    past: list[Done] = field(default_factory=list)
    open: dict[Where, int] = field(default_factory=dict)
    queue: list[Burst] = field(default_factory=list)
    gaps: dict[str, int] = field(default_factory=dict)
    mode: int = 0
    sent: int = 0
    passed: dict[int, int] = field(default_factory=lambda: {0: 0, 1: 0})
    turn: int = -1
    fresh: set[Where] = field(default_factory=set)
    refreshed: set[Where] = field(default_factory=set)
    hits: int = 0
    refreshes: dict[int, int] = field(default_factory=dict)
    active: int = 0

    def run(self, ticks: int) -> None:
        """Walk `ticks` ticks."""
        self.turn = len(self.ports) - 1
        for tick in range(ticks):
            self.enter(tick)
            self.change()
            sent = self.try_column(tick)
            self.change()
            if not sent or self.dram.standard.separate_row_commands:
                self.try_row(tick)
            self.active += sum(1 for rank in range(self.dram.ranks) if self.is_active(rank, tick))

    def is_active(self, rank: int, tick: int) -> bool:
        if any(where[0] == rank for where in self.open):
            return True
        return any(p.kind == PRECHARGE and p.where[0] == rank and p.tick > tick for p in self.past[-40:])

    # --- queues -----------------------------------------------------------------------------------------------------

    def of(self, direction: int) -> list[Burst]:
        return [b for b in self.queue if self.directions[b.port] == direction]

    def enter(self, tick: int) -> None:
        for step in range(1, len(self.ports) + 1):
            index = (self.turn + step) % len(self.ports)
            works = [w for w in self.ports[index] if w.bursts]
            if not works or works[0].arrival > tick or len(self.of(self.directions[index])) >= self.dram.queue:
                continue
            work = works[0]
            number = work.bursts.pop(0)
            p = self.dram.map.place(number)
            at = self.ports[index].index(work)
            self.queue.append(Burst(number, (p.rank, p.bank_group, p.bank), p.row, index, at, tick))
            self.turn = index
            return

    def change(self) -> None:
        mine, other = self.of(self.mode), self.of(1 - self.mode)
        if other and (not mine or self.sent >= self.dram.batch):
            self.mode, self.sent = 1 - self.mode, 0

    # --- rules ------------------------------------------------------------------------------------------------------

    def due(self, rank: int, tick: int) -> bool:
        refi, ranks = self.dram.standard.timing.refi, self.dram.ranks
        first = refi * (rank + 1) // ranks
        return self.dram.refresh and tick >= first + self.refreshes.get(rank, 0) * refi

    def recent(self, tick: int) -> list[Done]:
        t = self.dram.standard.timing
        span = max(t.rfc, t.rc, t.faw, t.cwl + t.burst + t.wr + t.wtr_l, 2 * (t.cl + t.burst)) + 20
        return [p for p in self.past[-300:] if p.tick > tick - span]

    def column_bounds(self, where: Where, direction: int, tick: int) -> dict[str, int]:
        """Return the earliest tick by kind of constraint."""
        t = self.dram.standard.timing
        latency = (t.cl, t.cwl)
        least = {"row": 0, "group": 0, "rank": 0, "bus": 0}
        for p in self.recent(tick):
            if p.kind == ACTIVATE and p.where == where:
                least["row"] = max(least["row"], p.tick + (t.rcd_write if direction else t.rcd_read))
            if p.kind != COLUMN:
                continue
            end = p.tick + latency[p.direction] + t.burst
            start = end - latency[direction]
            if p.where[0] != where[0]:
                start += t.rank_switch
            elif p.direction == direction:
                least["rank"] = max(least["rank"], p.tick + t.ccd_s)
            elif p.direction:
                least["rank"] = max(least["rank"], end + t.wtr_s)
            if direction and not p.direction:
                start += t.read_to_write
            least["bus"] = max(least["bus"], start)
            if p.where[:2] == where[:2]:
                if p.direction == direction:
                    least["group"] = max(least["group"], p.tick + t.ccd_l)
                elif p.direction:
                    least["group"] = max(least["group"], end + t.wtr_l)
        return least

    def may_activate(self, where: Where, tick: int) -> bool:
        t = self.dram.standard.timing
        activates = []
        for p in self.recent(tick):
            ago = tick - p.tick
            if p.where[0] != where[0]:
                continue
            if p.kind == ACTIVATE:
                activates.append(p.tick)
                if p.where == where and ago < t.ras + t.rp:
                    return False
                if ago < (t.rrd_l if p.where[1] == where[1] else t.rrd_s):
                    return False
            if p.kind == PRECHARGE and p.where == where and ago < t.rp:
                return False
            if p.kind == REFRESH and ago < t.rfc:
                return False
        return len(activates) < 4 or tick - activates[-4] >= t.faw

    def precharge_from(self, where: Where, tick: int) -> int:
        t = self.dram.standard.timing
        least = 0
        for p in self.recent(tick):
            if p.where != where:
                continue
            if p.kind == ACTIVATE:
                least = max(least, p.tick + t.ras)
            if p.kind == COLUMN:
                least = max(least, p.tick + t.cwl + t.burst + t.wr if p.direction else p.tick + t.rtp)
        return least

    def oldest_only(self) -> Burst | None:
        mine = self.of(self.mode)
        return mine[0] if mine and self.passed[self.mode] >= self.dram.bypass_limit else None

    # --- commands ---------------------------------------------------------------------------------------------------

    def note(self, tick: int, kind: int, where: Where, row: int) -> None:
        m = self.dram.map
        flat = where[0] if kind in (CLOSE_RANK, REFRESH) else (where[0] * m.bank_groups + where[1]) * m.banks + where[2]
        self.log.append((tick, kind, flat, row))

    def try_column(self, tick: int) -> bool:
        mine, only = self.of(self.mode), self.oldest_only()
        for burst in mine:
            if only is not None and burst is not only:
                continue
            if self.open.get(burst.where) != burst.row or self.due(burst.where[0], tick):
                continue
            bounds = self.column_bounds(burst.where, self.mode, tick)
            if max(bounds.values()) > tick:
                continue
            self.do_column(burst, tick, bounds, mine)
            return True
        return False

    def do_column(self, burst: Burst, tick: int, bounds: dict[str, int], mine: list[Burst]) -> None:
        t = self.dram.standard.timing
        start = tick + (t.cwl if self.mode else t.cl)
        columns = [p for p in self.past if p.kind == COLUMN]
        before = columns[-1].tick + (t.cwl if columns[-1].direction else t.cl) + t.burst if columns else 0
        if start > before:
            idle = min(start - before, max(0, burst.arrived + start - tick - before))
            self.gaps["no_request"] = self.gaps.get("no_request", 0) + idle
            if start - before > idle:
                last = columns[-1] if columns else Done(0, COLUMN, (0, 0, 0), 0)
                if bounds["row"] == tick:
                    cause = "refresh" if burst.where in self.refreshed else "row"
                elif last.direction != self.mode:
                    cause = "turnaround"
                elif last.where[0] != burst.where[0]:
                    cause = "rank"
                else:
                    cause = "bank_group" if bounds["group"] == tick else "command"
                self.gaps[cause] = self.gaps.get(cause, 0) + start - before - idle
        self.hits += burst.where not in self.fresh
        self.fresh.discard(burst.where)
        self.refreshed.discard(burst.where)
        self.passed[self.mode] = 0 if burst is mine[0] else self.passed[self.mode] + 1
        self.queue.remove(burst)
        self.past.append(Done(tick, COLUMN, burst.where, self.mode))
        self.note(tick, COLUMN, burst.where, burst.row)
        self.sent += 1
        work = self.ports[burst.port][burst.work]
        work.begin = start if work.begin < 0 else work.begin
        work.end = start + t.burst
        wanted = any(b.where == burst.where and b.row == burst.row for b in self.of(self.mode))
        if self.dram.page == "closed" and not wanted:
            at = self.precharge_from(burst.where, tick)
            self.past.append(Done(at, PRECHARGE, burst.where))
            del self.open[burst.where]

    def try_row(self, tick: int) -> None:
        for rank in range(self.dram.ranks):
            if not self.due(rank, tick):
                continue
            mine = [where for where in self.open if where[0] == rank]
            if mine:
                if all(self.precharge_from(where, tick) <= tick for where in mine):
                    for where in mine:
                        del self.open[where]
                        self.past.append(Done(tick, PRECHARGE, where))
                    self.note(tick, CLOSE_RANK, (rank, 0, 0), -1)
                    return
                continue
            if self.may_refresh(rank, tick):
                self.past.append(Done(tick, REFRESH, (rank, 0, 0)))
                self.refreshes[rank] = self.refreshes.get(rank, 0) + 1
                m = self.dram.map
                self.refreshed |= {(rank, g, b) for g in range(m.bank_groups) for b in range(m.banks)}
                self.note(tick, REFRESH, (rank, 0, 0), -1)
                return
        mine_now, only, seen = self.of(self.mode), self.oldest_only(), set()
        for burst in mine_now:
            where = burst.where
            if where in seen:
                continue
            seen.add(where)
            if self.due(where[0], tick):
                continue
            now = self.open.get(where)
            if now is None:
                if self.may_activate(where, tick):
                    self.open[where] = burst.row
                    self.fresh.add(where)
                    self.ports[burst.port][burst.work].activates += 1
                    self.past.append(Done(tick, ACTIVATE, where))
                    self.note(tick, ACTIVATE, where, burst.row)
                    return
                continue
            wanted = any(b.where == where and b.row == now for b in (mine_now if burst is not only else [burst]))
            if not wanted and self.precharge_from(where, tick) <= tick:
                del self.open[where]
                self.past.append(Done(tick, PRECHARGE, where))
                self.note(tick, PRECHARGE, where, burst.row)
                return

    def may_refresh(self, rank: int, tick: int) -> bool:
        t = self.dram.standard.timing
        for p in self.recent(tick):
            if p.where[0] != rank:
                continue
            ago = tick - p.tick
            if p.kind == ACTIVATE and ago < t.ras + t.rp:
                return False
            if p.kind == PRECHARGE and ago < t.rp:
                return False
            if p.kind == REFRESH and ago < t.rfc:
                return False
        return True
