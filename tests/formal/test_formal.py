"""Proofs of FIFO, register slice and arbiter, for every input and forever; each refutes planted mistakes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from hw_models.bins import BinsParams
from hw_models.fabric import ArbiterParams, FifoParams, SkidParams
from hw_models.topk import TopKParams
from rtl import formal_run
from rtl.emit import emit
from rtl.formal_run import missing_tools, prove, refute, with_properties
from tests.reference.profile import NIGHTLY
from workloads.errors import InputError
from workloads.formats import Int

MISSING = missing_tools()
needs_tools = pytest.mark.skipif(
    bool(MISSING), reason=f"no program {', '.join(MISSING)}; pip install 'tilewright[synth]'"
)
QUICK = (SkidParams(4), FifoParams(2, 4), FifoParams(6, 4), ArbiterParams(2, 3), ArbiterParams(3, 3))
LONG = (SkidParams(1), SkidParams(32), FifoParams(3, 1), FifoParams(5, 16), FifoParams(8, 4), FifoParams(13, 4),
        ArbiterParams(1, 4), ArbiterParams(4, 8), ArbiterParams(5, 2), ArbiterParams(8, 2))  # fmt: skip


def identifier(params: object) -> str:
    """Return a readable test name."""
    return str(getattr(params, "name", ""))


@needs_tools
@pytest.mark.parametrize("params", QUICK + LONG * NIGHTLY, ids=identifier)
def test_properties_hold(params: object) -> None:
    result = prove(params)
    assert result.holds, result.failed


@needs_tools
@pytest.mark.parametrize(
    ("params", "file", "old", "new", "named"),
    [
        (FifoParams(6, 4), "tw_fifo.sv", "in_valid & ~full", "in_valid", "fifo_"),  # overflows
        (FifoParams(6, 4), "tw_fifo.sv", "read_at == PTR_W'(WORDS - 1) ? '0 : ", "", "fifo_"),
        (FifoParams(6, 4), "tw_fifo.sv", "memory[write_at] <=", "memory[read_at] <=", "fifo_word_in_the_memory"),
        (FifoParams(6, 4), "tw_fifo.sv", "if (free) out_data", "out_data", "fifo_"),  # an offer changes
        (SkidParams(4), "tw_skid.sv", "if (~full) kept", "kept", "skid_"),  # forgets the word it keeps
        (SkidParams(4), "tw_skid.sv", "full ? kept : in_data", "in_data", "skid_"),
        (SkidParams(4), "tw_slice.sv", "else if (free) out_valid", "else out_valid", "slice_"),
        (ArbiterParams(3, 3), "tw_arbiter.sv", "free & chosen == PORT_W'(i)", "free", "arbiter_grants_one"),
        (ArbiterParams(3, 3), "tw_arbiter.sv", " && PORT_W'($unsigned(i)) >= search", "", "arbiter_turns"),
        (ArbiterParams(3, 3), "tw_arbiter.sv", "(~locked & asks == '0)", "(~locked)", "arbiter_"),  # loses its turn
        (ArbiterParams(3, 3), "tw_arbiter.sv", "locked ? owner : found", "found", "arbiter_packets_stay_whole"),
    ],
)
def test_a_planted_mistake_is_refuted_from_reset(params: object, file: str, old: str, new: str, named: str) -> None:
    sources = emit(params)
    assert sources[file].count(old) == 1
    result = refute(params, {**sources, file: sources[file].replace(old, new)})
    assert not result.holds
    assert any(name.startswith(named) for name in result.failed), result.failed


@needs_tools
def test_a_port_that_starves_is_seen_without_the_invariant(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound on the wait itself fails, not only what carries its induction."""

    def without(sources: Mapping[str, str]) -> dict[str, str]:
        proved = with_properties(sources)
        lines = proved["tw_arbiter.sv"].splitlines(keepends=True)
        return proved | {"tw_arbiter.sv": "".join(line for line in lines if "arbiter_turns :" not in line)}

    monkeypatch.setattr(formal_run, "with_properties", without)
    params = ArbiterParams(3, 3)
    sources = emit(params)
    first = sources["tw_arbiter.sv"].replace(" && PORT_W'($unsigned(i)) >= search", "")  # the lowest port wins
    assert refute(params, {**sources, "tw_arbiter.sv": first}).failed == ("arbiter_is_fair",)


@needs_tools
def test_a_situation_that_is_not_reached_is_no_proof(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In five cycles from reset a FIFO of six cannot fill: what is said of a full one may hold in vain."""
    params = FifoParams(6, 4)
    monkeypatch.setattr(formal_run, "SEARCH_DEPTH", 5)
    result = prove(params, work_dir=tmp_path)
    assert (result.holds, set(result.failed)) == (False, {"fifo_fills", "fifo_empties_from_full"})
    assert (tmp_path / f"{params.name}.sby").exists()


@pytest.mark.parametrize("params", [TopKParams(2, 4, Int(8), 2), BinsParams(Int(8), (0, 3, -7, 100))], ids=identifier)
def test_properties_go_into_their_modules_and_nowhere_else(params: object) -> None:
    sources = emit(params)
    proved = with_properties(sources)
    assert set(proved) == {file for file in sources if file.endswith(".sv")}
    assert {file for file in proved if proved[file] != sources[file]} == {"tw_skid.sv"}
    assert proved["tw_skid.sv"].count("endmodule") == 1


def test_a_core_without_properties_is_refused() -> None:
    with pytest.raises(InputError, match="has properties in rtl/formal"):
        with_properties({"other.sv": "module other; endmodule\n"})


def test_missing_tools_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formal_run, "missing_tools", lambda: ("z3",))
    with pytest.raises(InputError, match=r"no program z3.*pip install 'tilewright\[synth\]'"):
        prove(FifoParams(2, 4))
