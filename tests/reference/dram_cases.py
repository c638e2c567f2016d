"""Random small DRAMs and streams of requests for tests of the DRAM model."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import strategies as st

from hw_models.dram import DramStandard, TimedDram, Timing
from hw_models.dram.standard import Currents

Requests = list[list[tuple[int, list[tuple[int, int]]]]]
"""Per port: (arrival tick, [(first burst, count)])."""


def toy_standard(timing: Timing, groups: int, banks: int, columns: int, separate: bool) -> DramStandard:
    """Return a small device with distinct currents."""
    power = Currents(*(Fraction(x) for x in ("1.2", "48", "34", "43", "135", "123", "250")))
    return DramStandard(
        "toy", "TOY", "test", Fraction(1200), groups, banks, 16, columns * 8, 8, 8, 8, 1, separate, timing, power
    )


@st.composite
def timings(draw: st.DrawFn) -> Timing:
    """Return small times in the order of a real device."""
    n = st.integers
    burst = draw(n(1, 4))
    ccd_s, rrd_s, wtr_s = draw(n(1, 5)), draw(n(1, 5)), draw(n(1, 4))
    cwl = draw(n(1, 8))
    return Timing(
        burst=burst, cl=cwl + draw(n(0, 5)), cwl=cwl, rcd_read=draw(n(1, 9)), rcd_write=draw(n(1, 9)), rp=draw(n(1, 9)),
        ras=draw(n(4, 15)), rfc=draw(n(5, 30)), refi=draw(n(200, 500)), rrd_s=rrd_s, rrd_l=rrd_s + draw(n(0, 4)),
        faw=draw(n(4, 24)), ccd_s=ccd_s, ccd_l=ccd_s + draw(n(0, 5)), wtr_s=wtr_s, wtr_l=wtr_s + draw(n(0, 6)),
        wr=draw(n(1, 9)), rtp=draw(n(1, 6)), rank_switch=draw(n(1, 3)), read_to_write=draw(n(1, 3)),
    )  # fmt: skip


@st.composite
def drams(draw: st.DrawFn) -> TimedDram:
    """Return one channel of a toy device."""
    power_of_two = st.sampled_from([1, 2, 4])
    standard = toy_standard(
        draw(timings()), draw(power_of_two), draw(power_of_two), draw(st.sampled_from([4, 8, 32])), draw(st.booleans())
    )
    order = "-".join(draw(st.permutations(["ra", "ba", "bg", "co", "ro"]))) + "-ch"
    usual = ["ro-ra-ba-co-bg-ch", "ro-ra-ba-bg-co-ch", "ro-ra-ba-co-bg-ch"]
    return TimedDram(
        standard, 1, draw(st.sampled_from([1, 1, 2])), draw(st.sampled_from([*usual, order])), draw(st.booleans()),
        draw(st.sampled_from(["open", "open", "closed"])), draw(st.sampled_from([1, 2, 4, 8, 12])),
        draw(st.sampled_from([1, 4, 16])), draw(st.sampled_from([1, 3, 16])), draw(st.integers(0, 2)) > 0,
    )  # fmt: skip


@st.composite
def requests(draw: st.DrawFn, ports: int, longest: int, latest: int) -> Requests:
    """Return streams: runs of up to `longest` bursts, arrivals in order up to `latest`."""
    segment = st.tuples(st.integers(0, 400), st.integers(1, longest))
    result = []
    for _ in range(ports):
        works = draw(st.lists(st.tuples(st.integers(0, latest), st.lists(segment, min_size=1, max_size=3)), max_size=4))
        result.append(sorted(works, key=lambda work: work[0]))
    return result
