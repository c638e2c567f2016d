"""Banks, ranks and buses of one DRAM channel: the earliest tick of every command, and what a command changes.

Constraints (names of `hw_models.dram.Timing`); every one is a lower bound on the tick of a later command:

* activate: rp after the precharge and rc after the activate of the bank, rrd_s / rrd_l after activates of the rank /
  the bank group, faw after the fourth last activate of the rank, rfc after a refresh;
* column command: rcd after the activate; ccd_s / ccd_l after a column command of the same direction in the rank / the
  bank group; read after write: end of data + wtr_s / wtr_l; its data after the data before it, plus rank_switch
  if another rank sent that, plus read_to_write if it writes after a read;
* precharge: ras after the activate, rtp after a read, end of data + wr after a write;
* refresh: all banks precharged and rp past.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from hw_models.dram import TimedDram
from sim.dram.ports import READ, Entry
from sim.dram.report import ChannelCounts, Timeline

CLOSED = -1
LONG_AGO = -(1 << 40)


class Banks:
    """State of one channel. Bank numbers run over (rank, bank group, bank), the last fastest."""

    def __init__(self, dram: TimedDram) -> None:
        s = dram.standard
        self.timing = t = s.timing
        self.groups, self.per_group = s.bank_groups, s.banks_per_group
        self.per_rank = s.bank_groups * s.banks_per_group
        count = dram.ranks * self.per_rank
        self.ranks = dram.ranks
        self.group_of = [bank // s.banks_per_group for bank in range(count)]
        self.rank_of = [bank // self.per_rank for bank in range(count)]
        self.open_row = [CLOSED] * count
        self.act_ok = [0] * count
        self.column_ok = ([0] * count, [0] * count)
        self.pre_ok = [0] * count
        self.fresh = [False] * count
        self.refreshed = [False] * count
        groups = dram.ranks * s.bank_groups
        self.group_act_ok = [0] * groups
        self.rank_act_ok = [0] * dram.ranks
        self.four = [deque([LONG_AGO] * 4, maxlen=4) for _ in range(dram.ranks)]
        self.group_ok = ([0] * groups, [0] * groups)
        self.rank_ok = ([0] * dram.ranks, [0] * dram.ranks)
        self.bus_end, self.bus_rank, self.bus_direction = 0, 0, READ
        self.column_bus_ok = self.row_bus_ok = 0
        self._one_bus = not s.separate_row_commands
        never = 1 << 200
        self.due = [t.refi * (k + 1) // dram.ranks if dram.refresh else never for k in range(dram.ranks)]
        self._open_banks = [0] * dram.ranks
        self._active_since = [0] * dram.ranks
        self._active_end = [0] * dram.ranks
        self.latency = (t.cl, t.cwl)
        self.counts, self.timeline = ChannelCounts(), Timeline()

    # --- earliest ticks -------------------------------------------------------------------------------------------

    def column_tick(self, bank: int, direction: int) -> int:
        """Return the first tick for a column command to the open row of `bank`."""
        rank = self.rank_of[bank]
        data = self.bus_end - self.latency[direction]
        if rank != self.bus_rank:
            data += self.timing.rank_switch
        if direction and not self.bus_direction:
            data += self.timing.read_to_write
        return max(
            self.column_ok[direction][bank],
            self.group_ok[direction][self.group_of[bank]],
            self.rank_ok[direction][rank],
            data,
            self.column_bus_ok,
        )

    def activate_tick(self, bank: int) -> int:
        """Return the first tick for an activate of `bank`, which is closed."""
        rank = self.rank_of[bank]
        return max(
            self.act_ok[bank],
            self.group_act_ok[self.group_of[bank]],
            self.rank_act_ok[rank],
            self.four[rank][0] + self.timing.faw,
            self.row_bus_ok,
        )

    def precharge_tick(self, bank: int) -> int:
        """Return the first tick for a precharge of `bank`."""
        return max(self.pre_ok[bank], self.row_bus_ok)

    def refresh_tick(self, rank: int) -> tuple[int, bool]:
        """Return (first tick, whether it is the refresh itself) of the next command that refreshing `rank` needs."""
        banks = range(rank * self.per_rank, (rank + 1) * self.per_rank)
        least = max(self.due[rank], self.row_bus_ok)
        if self._open_banks[rank]:
            return max(least, *(self.pre_ok[b] for b in banks if self.open_row[b] != CLOSED)), False
        return max(least, *(self.act_ok[b] for b in banks)), True

    # --- commands -------------------------------------------------------------------------------------------------

    def _row_bus(self, tick: int) -> None:
        self.row_bus_ok = tick + 1
        if self._one_bus:
            self.column_bus_ok = tick + 1

    def activate(self, entry: Entry, tick: int) -> None:
        """Open the row of `entry`."""
        bank, t = entry.bank, self.timing
        rank = self.rank_of[bank]
        self.open_row[bank] = entry.row
        self.act_ok[bank] = tick + t.rc
        self.column_ok[0][bank] = tick + t.rcd_read
        self.column_ok[1][bank] = tick + t.rcd_write
        self.pre_ok[bank] = tick + t.ras
        self.fresh[bank] = True
        self.group_act_ok[self.group_of[bank]] = tick + t.rrd_l
        self.rank_act_ok[rank] = tick + t.rrd_s
        self.four[rank].append(tick)
        if not self._open_banks[rank]:
            self._active_since[rank] = max(tick, self._active_end[rank])
        self._open_banks[rank] += 1
        self._row_bus(tick)
        self.counts.activates += 1
        entry.request.activates += 1

    def _close(self, bank: int, tick: int) -> None:
        """Close `bank`, its precharge starting at `tick`."""
        rank = self.rank_of[bank]
        self.open_row[bank] = CLOSED
        self.act_ok[bank] = max(self.act_ok[bank], tick + self.timing.rp)
        self._active_end[rank] = max(self._active_end[rank], tick)
        self._open_banks[rank] -= 1
        if not self._open_banks[rank]:
            self.counts.active_rank_ticks += self._active_end[rank] - self._active_since[rank]
        self.counts.precharges += 1

    def precharge(self, bank: int, tick: int) -> None:
        """Close `bank`."""
        self._close(bank, tick)
        self._row_bus(tick)

    def precharge_with_column(self, bank: int) -> None:
        """Close `bank` as part of the column command just sent, as soon as its data allows."""
        self._close(bank, self.pre_ok[bank])

    def precharge_rank(self, rank: int, tick: int) -> None:
        """Close every open bank of `rank` by one command."""
        for bank in range(rank * self.per_rank, (rank + 1) * self.per_rank):
            if self.open_row[bank] != CLOSED:
                self._close(bank, tick)
        self._row_bus(tick)

    def refresh(self, rank: int, tick: int) -> None:
        """Refresh `rank`, whose banks are all closed."""
        for bank in range(rank * self.per_rank, (rank + 1) * self.per_rank):
            self.act_ok[bank] = tick + self.timing.rfc
            self.refreshed[bank] = True
        self.due[rank] += self.timing.refi
        self._row_bus(tick)
        self.counts.refreshes += 1

    def column(self, entry: Entry, direction: int, tick: int) -> int:
        """Send the column command of `entry`; return the end of its data."""
        bank, t, counts = entry.bank, self.timing, self.counts
        rank = self.rank_of[bank]
        start = tick + self.latency[direction]
        gap = start - self.bus_end
        if gap > 0:
            self._blame(entry, direction, tick, gap)
        if not self.fresh[bank]:
            counts.row_hits += 1
        self.fresh[bank] = self.refreshed[bank] = False
        end = start + t.burst
        self.after_columns(bank, direction, tick)
        self.rank_ok[direction][rank] = tick + t.ccd_s
        if direction:
            counts.writes += 1
            self.rank_ok[READ][rank] = end + t.wtr_s
        else:
            counts.reads += 1
        self.command_sent(tick)
        self.bus_end, self.bus_rank, self.bus_direction = end, rank, direction
        counts.busy_ticks += t.burst
        self.timeline.add(direction, start, end)
        return end

    def command_sent(self, tick: int) -> None:
        """Note a column command on the command bus."""
        self.column_bus_ok = tick + 1
        if self._one_bus:
            self.row_bus_ok = tick + 1

    def after_columns(self, bank: int, direction: int, tick: int) -> None:
        """Note the last column command of `bank` and its group."""
        t, group = self.timing, self.group_of[bank]
        self.group_ok[direction][group] = tick + t.ccd_l
        if direction:
            end = tick + t.cwl + t.burst
            self.group_ok[READ][group] = end + t.wtr_l
            self.pre_ok[bank] = max(self.pre_ok[bank], end + t.wr)
        else:
            self.pre_ok[bank] = max(self.pre_ok[bank], tick + t.rtp)

    def _blame(self, entry: Entry, direction: int, tick: int, gap: int) -> None:
        """Say why the data bus was idle for `gap` ticks before the data of `entry`."""
        bank, gaps = entry.bank, self.counts.gap_ticks
        idle = min(gap, max(0, entry.arrival_tick + self.latency[direction] - self.bus_end))
        gaps["no_request"] += idle
        if gap == idle:
            return
        if self.column_ok[direction][bank] == tick:
            cause = "refresh" if self.refreshed[bank] else "row"
        elif direction != self.bus_direction:
            cause = "turnaround"
        elif self.rank_of[bank] != self.bus_rank:
            cause = "rank"
        elif self.group_ok[direction][self.group_of[bank]] == tick:
            cause = "bank_group"
        else:
            cause = "command"
        gaps[cause] += gap - idle

    def finish(self, tick: int) -> ChannelCounts:
        """Return the counts with standby accounted up to `tick`, which no command has passed."""
        active = self.counts.active_rank_ticks
        for rank in range(self.ranks):
            since, until = self._active_since[rank], self._active_end[rank]
            active += tick - since if self._open_banks[rank] else min(0, tick - until)
        return replace(self.counts, active_rank_ticks=active, gap_ticks=dict(self.counts.gap_ticks))
