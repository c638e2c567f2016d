"""The engine's ports: the test memory ends a run that breaks AXI4, the bench one whose control port misbehaves."""

from __future__ import annotations

from functools import cache

import pytest

from rtl.engine_run import EngineRun, run_engine
from rtl.engine_top import bench_sources
from tests.cosim.engine_cases import BASE, PAGE, Played, bursts, make_case
from tests.cosim.engine_networks import products
from tilewright.engine_case import EngineCase
from workloads.errors import MismatchError

pytestmark = pytest.mark.cosim

TOGGLE = "logic t; always_ff @(posedge clk) t <= ~rst & ~t;\n"
HELD = "logic t; always_ff @(posedge clk) t <= m_axi_{0}valid & ~m_axi_{0}ready;"
PLANTS = [
    ("engine_dma_walk.sv", "= in_run < to_page ? in_run : to_page;", "= in_run;", "burst crosses 4 KiB"),
    ("layer_engine.sv", "m_axi_arburst = 2'b01", "m_axi_arburst = 2'b00", "read burst does not increment"),
    ("layer_engine.sv", "m_axi_awsize  = 3'($", "m_axi_awsize  = 3'(1 + $", "write burst does not increment"),
    ("engine_load.sv", "arvalid = ar_active;", f"arvalid = ar_active & t; {TOGGLE}", "ARVALID fell"),
    ("engine_load.sv", "aruser  = ar_last;", f"aruser = ar_last ^ t; {HELD.format('ar')}", "read address changed"),
    ("engine_load.sv", "aruser  = ar_last;", "aruser = 1'bx;", "unknown bits in a read address"),
    ("engine_store.sv", "awvalid = aw_active &", f"awvalid = aw_active & t; {TOGGLE} wire u = ", "AWVALID fell"),
    ("engine_store.sv", "awuser  = aw_last;", f"awuser = aw_last ^ t; {HELD.format('aw')}", "write address changed"),
    (
        "engine_store.sv",
        "m_axi_wvalid <= w_active;",
        "m_axi_wvalid <= w_active; else m_axi_wvalid <= 1'b0;",
        "WVALID fell",
    ),
    ("engine_store.sv", "rd_en       = w_step;", "rd_en = 1'b1;", "write data changed"),
    ("engine_store.sv", "m_axi_wlast <= w_burst_last;", "m_axi_wlast <= ~w_burst_last;", "WLAST at the wrong beat"),
    ("engine_store.sv", "m_axi_wstrb <= useful;", "m_axi_wstrb <= 'x;", "unknown bits beside write data"),
    ("engine_load.sv", "m_axi_rready = 1'b1;", "m_axi_rready = 1'bx;", "a valid or ready of the master is unknown"),
    ("engine_control.sv", "s_axil_bvalid  <= 1'b0;", "s_axil_bvalid <= 1'b1;", "BVALID after reset"),
    ("engine_control.sv", "s_axil_rresp <= known", "s_axil_rresp <= 1'b1", "response of a read"),
    ("engine_control.sv", "& ~running & (to_memory", "& (to_memory", "response of a write"),
]


@cache
def case() -> EngineCase:
    """Return a case with bursts on both sides of a 4 KiB boundary."""
    return make_case(BASE, products, 12, PAGE - 90)


@cache
def runs() -> list[EngineRun]:
    """Return the case on a memory that holds back, each time elsewhere, then with its control port played."""
    return [*[Played(case(), disturb=True).run()] * 4, Played(case(), probe=True).run()]


def beats() -> int:
    """Return the beats of a memory for the case."""
    return -(-case().program.dram_bytes // BASE.beat_bytes)


def test_right_engine_is_let_through() -> None:
    outcomes = run_engine(BASE, runs())
    assert [case().wrong(outcome.memory) for outcome in outcomes] == [0] * 5
    assert case().agrees(outcomes[-1])


def test_bursts_meet_the_boundary() -> None:
    cut = 0
    for command in case().program.commands:
        for transfer in getattr(command, "transfers", ()):
            starts = list(bursts(transfer, BASE))
            end = transfer.address + transfer.run_bytes
            cut += PAGE in starts and transfer.address < PAGE < end and not transfer.counts
    assert cut >= 1


@pytest.mark.parametrize(("module", "old", "new", "said"), PLANTS, ids=[plant[3] for plant in PLANTS])
def test_a_planted_violation_ends_the_run(module: str, old: str, new: str, said: str) -> None:
    sources = bench_sources(BASE, beats())
    assert old in sources[module]
    sources[module] = sources[module].replace(old, new, 1)
    with pytest.raises(MismatchError, match=said):
        run_engine(BASE, runs(), sources=sources)


def test_a_burst_that_leaves_the_memory_ends_the_run() -> None:
    with pytest.raises(MismatchError, match="burst leaves the memory"):
        run_engine(BASE, runs(), sources=bench_sources(BASE, beats() - 1))
