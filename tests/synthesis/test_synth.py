"""Emitted cores synthesise without latches, missing modules or loops; RTL that has them is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from hw_models.accelerator import Dataflow
from hw_models.dot import DotParams
from hw_models.layer_engine import EngineParams
from hw_models.products import IntProduct
from hw_models.scratchpad import BankedParams
from hw_models.sparsity import Sparsity
from rtl import synth
from rtl.emit import emit
from rtl.synth import FAMILIES, Family, clock_mhz, elaborate, missing_synthesis_tools, resources, synthesise
from tests.reference.profile import NIGHTLY
from tilewright.cores import list_cores
from workloads.errors import InputError
from workloads.formats import Int

MISSING = missing_synthesis_tools()
needs_yosys = pytest.mark.skipif(
    bool(MISSING), reason=f"no program {', '.join(MISSING)}; pip install 'tilewright[synth]'"
)
NO_PLACER = missing_synthesis_tools(place=True)
CORES = {row.name: row.params for row in list_cores()}
QUICK = [("dot_int8", "ecp5"), ("topk_2of4_int8", "ecp5"), ("fifo_6x8", "ecp5")]
LONG = [(name, family) for name in CORES for family in FAMILIES if (name, family) not in QUICK]


@needs_yosys
@pytest.mark.parametrize(("name", "family"), QUICK + LONG * NIGHTLY)
def test_a_core_synthesises(name: str, family: Family) -> None:
    params = CORES[name]
    found = resources(synthesise(emit(params), name, family, by_module=isinstance(params, EngineParams)))
    assert found.lut > 0 and found.ff > 0


@needs_yosys
@pytest.mark.parametrize("family", FAMILIES if NIGHTLY else ("ice40",))
def test_a_multiplier_becomes_a_multiplier_block(family: Family) -> None:
    params = DotParams(IntProduct(Int(8), Int(8)), 2, 24)
    assert resources(synthesise(emit(params), params.name, family)).dsp == 2


@needs_yosys
def test_a_bank_becomes_a_block_memory() -> None:
    params = BankedParams(2, 1024, 16)
    found = resources(synthesise(emit(params), params.name, "ecp5"))
    assert (found.bram, found.lut_memory) == (2, 0)


def small_engine(*flows: Dataflow, sparsity: Sparsity | None = None) -> EngineParams:
    return EngineParams(
        rows=2, cols=2, input_format=Int(8), weight_format=Int(8), accumulator_bits=32, input_bytes=1024,
        weight_bytes=1024, operand_bytes=512, output_bytes=512, coefficient_channels=64, accumulator_depth=16,
        pool_depth=16, vector_latency_cycles=8, issue_cycles=2, memory_latency_cycles=20, beat_bytes=4, burst_beats=8,
        outstanding=2, commands=16, sparsity=sparsity, dataflows=flows,
    )  # fmt: skip


ENGINES = {"ws": small_engine("ws"), "os, 2:4": small_engine("os", sparsity=Sparsity(2, 4)), "is": small_engine("is"),
           "ws, os, is": small_engine("ws", "os", "is")}  # fmt: skip


@needs_yosys
@pytest.mark.parametrize("kind", ENGINES)
def test_a_layer_engine_elaborates_without_latches_loops_or_missing_modules(kind: str) -> None:
    params = ENGINES[kind]
    elaborate(emit(params), params.name)


@needs_yosys
def test_what_elaboration_refuses_is_said() -> None:
    with pytest.raises(InputError, match="nothing"):
        elaborate({"bad.sv": "module bad (input wire a, output wire b); nothing u (.a(a), .b(b)); endmodule"}, "bad")


@needs_yosys
@pytest.mark.nightly
@pytest.mark.parametrize("kind", ENGINES)
def test_the_memories_of_a_layer_engine_become_block_memories(kind: str) -> None:
    params = ENGINES[kind]
    found = resources(synthesise(emit(params), params.name, "ecp5", by_module=True))
    banks = 4 * (1 + params.rows * ("os" in params.dataflows))
    assert found.bram >= banks + 2 * params.cols


BAD = {
    "latch": ("always_comb if (a) b = c; endmodule", "[Ll]atch"),
    "latch that is asked for": ("always @* if (a) b = c; endmodule", "dlatch"),
    "missing module": ("nothing u (.a(a), .b(b)); endmodule", "nothing"),
    "loop": ("wire x = ~(x & a); assign b = x; endmodule", "logic loop"),
    "undriven": ("wire x; assign b = x & a; endmodule", "no driver"),
    "two drivers": ("assign b = a; assign b = c; endmodule", "multiple conflicting drivers"),
    "construct": ("initial $display(; endmodule", "syntax error"),
}


@needs_yosys
@pytest.mark.parametrize("kind", BAD)
def test_bad_rtl_is_refused(kind: str) -> None:
    body, message = BAD[kind]
    text = f"module bad (input wire a, c, output logic b);\n{body}\n"
    with pytest.raises(InputError, match=message):
        synthesise({"bad.sv": text}, "bad", "ecp5")


@pytest.mark.skipif(bool(NO_PLACER), reason=f"no program {', '.join(NO_PLACER)}; pip install 'tilewright[synth]'")
def test_a_clock_rate_is_found(tmp_path: Path) -> None:
    synthesise(emit(CORES["fifo_6x8"]), "fifo_6x8", "ecp5", tmp_path / "netlist.json")
    rate = clock_mhz(tmp_path / "netlist.json")
    assert rate is not None and 50 < rate < 1000


def test_a_family_that_is_not_known_and_tools_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="family 'xc9', bound is xc7, xcup, ecp5, ice40"):
        synthesise({}, "top", "xc9")  # type: ignore[arg-type]
    monkeypatch.setattr(synth, "YOSYS", "no-such-yosys")
    with pytest.raises(InputError, match=r"no program 'no-such-yosys'; run: pip install 'tilewright\[synth\]'"):
        synthesise({}, "top", "ecp5")


def test_cells_are_counted_by_kind() -> None:
    cells = {"LUT1": 1, "LUT6": 2, "SRL16E": 3, "FDRE": 4, "DSP48E2": 5, "RAMB36E2": 6, "CARRY4": 7, "MUXF7": 8}
    found = resources(cells)
    assert (found.lut, found.lut_memory, found.ff, found.dsp, found.bram, found.carry) == (3, 3, 4, 5, 6, 7)
