"""DRAM micro-benchmarks on one channel: streams, one bank group, row conflicts, activate window, idle latencies."""

from __future__ import annotations

from collections.abc import Sequence

from hw_models.dram import TimedDram
from hw_models.dram.standard import load_standard
from sim.dram.controller import READ, Controller
from sim.dram.ports import Request
from tilewright.validation.figures import load_figures
from tilewright.validation.rows import Row

BURSTS = 4096
STREAM_BURSTS = 1 << 18
QUIET = "without refresh, as the arithmetic"
ONE = "channel clock only; the machine's clock crossing is not in these rows"


def place(dram: TimedDram, row: int = 0, group: int = 0, bank: int = 0, column: int = 0) -> int:
    """Return the number of the burst at a place."""
    shifts = dram.map.shifts
    return (row << shifts["ro"]) | (group << shifts["bg"]) | (bank << shifts["ba"]) | (column << shifts["co"])


def seconds(dram: TimedDram, bursts: Sequence[tuple[int, int]]) -> float:
    """Return the time from the first arrival to the end of the last data of one read of `bursts`."""
    controller = Controller(dram, (READ,))
    controller.submit(0, Request(0, bursts))
    return controller.settle() / (float(dram.standard.clock_mhz) * 1e6)


def rate_gb_per_s(dram: TimedDram, bursts: Sequence[tuple[int, int]]) -> float:
    """Return the data rate of one read of `bursts`."""
    s = dram.standard
    size = sum(count for _, count in bursts) * s.burst_length * s.device_bits * s.devices // 8
    return size / seconds(dram, bursts) / 1e9


def idle_ticks(dram: TimedDram, before: int | None, burst: int) -> int:
    """Return the ticks of a read of `burst` that finds the channel idle, after a read of `before` long ago."""
    controller = Controller(dram, (READ,))
    late = Request(1000, [(burst, 1)])
    if before is not None:
        controller.submit(0, Request(0, [(before, 1)]))
    controller.submit(0, late)
    controller.settle()
    return late.end_tick - late.arrival_tick


def rows() -> list[Row]:
    """Return the rows."""
    figures = load_figures("dram")
    out: list[Row] = []
    slow = TimedDram(load_standard("DDR4-2400"), 1)
    quiet = TimedDram(load_standard("DDR4-2400"), 1, refresh=False)
    low, high = figures.figure("stream low"), figures.figure("stream high")
    ours = rate_gb_per_s(slow, [(0, STREAM_BURSTS)])
    out.append(
        Row("DDR4-2400 x8, 64 bit", "sequential read of 16 MiB", "rate", "GB/s", ours, None, low.source, "computed",
            low=low.value, high=high.value, not_modelled=ONE)
    )  # fmt: skip
    for name in ("DDR4-2400", "DDR4-3200"):
        dram = TimedDram(load_standard(name), 1, refresh=False)
        columns = dram.standard.bursts_per_row
        # Rows follow one another through the four banks of the group, so that opening one is hidden behind the last.
        group = [(place(dram, i // columns // 4, 0, i // columns % 4, i % columns), 1) for i in range(BURSTS)]
        share = 100e9 * rate_gb_per_s(dram, group) / float(dram.peak_bytes_per_s)
        out.append(
            figures.row(f"bank group {name}", name, "stream in one bank group", "rate", share, not_modelled=QUIET)
        )
    conflict = [(place(quiet, row=i), 1) for i in range(BURSTS)]
    out.append(
        figures.row("row conflict", "DDR4-2400", "a row of one bank per burst", "rate", rate_gb_per_s(quiet, conflict),
                    not_modelled=QUIET)
    )  # fmt: skip
    spread = [(place(quiet, row=i // 16, group=i % 4, bank=i // 4 % 4), 1) for i in range(BURSTS)]
    out.append(
        figures.row("four activates", "DDR4-2400", "a new row per burst over 16 banks", "rate",
                    rate_gb_per_s(quiet, spread), not_modelled=QUIET)
    )  # fmt: skip
    for key, before, burst in (
        ("hit", place(quiet, row=3), place(quiet, row=3, column=1)),
        ("closed", None, place(quiet, row=3)),
        ("conflict", place(quiet, row=2), place(quiet, row=3)),
    ):
        ticks = idle_ticks(quiet, before, burst)
        figure = figures.figure(f"idle {key}")
        out.append(
            Row("DDR4-2400", f"idle read, row {key}", "latency", "ticks", ticks, None, figure.source, "computed",
                low=figure.value - 1, high=figure.value + 1, not_modelled=QUIET)
        )  # fmt: skip
    return out
