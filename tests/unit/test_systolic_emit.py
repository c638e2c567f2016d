"""The generator: deterministic text, the parameters in it, the files it needs, its refusals."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from pathlib import Path

import pytest

from hw_models.systolic import SystolicParams
from rtl.emit import emit, write
from rtl.simulator import find_simulator
from rtl.systolic_top import systolic_constants
from workloads.errors import InputError
from workloads.formats import Int

WS = SystolicParams("ws", 3, 5, Int(8), Int(8), Int(24), 48)
OS = dataclasses.replace(WS, dataflow="os")
IS = SystolicParams("is", 3, 5, Int(8, signed=False), Int(4), Int(24), 48)


@pytest.mark.parametrize("params", [WS, OS, IS], ids=lambda params: params.name)
def test_same_parameters_give_same_text(params: SystolicParams) -> None:
    assert emit(params) == emit(dataclasses.replace(params))


@pytest.mark.parametrize("params", [WS, OS, IS], ids=lambda params: params.name)
def test_header_hash_is_that_of_the_parameters_beside_it(params: SystolicParams) -> None:
    text = emit(params)[f"{params.name}.sv"]
    canonical = re.search(r"//   parameters        (.*)", text)
    digest = re.search(r"//   parameters sha256 ([0-9a-f]{64})", text)
    assert canonical is not None
    assert digest is not None
    assert digest[1] == hashlib.sha256(canonical[1].encode()).hexdigest()
    described = json.loads(canonical[1])
    assert {key: described[key.lower()] for key in systolic_constants(params)} == systolic_constants(params)


@pytest.mark.parametrize(
    "change",
    [
        {"rows": 4},
        {"cols": 4},
        {"input_format": Int(7)},
        {"input_format": Int(8, signed=False)},
        {"weight_format": Int(9)},
        {"weight_format": Int(8, signed=False)},
        {"accumulator_format": Int(25)},
        {"accumulator_depth": 47},
    ],
)
def test_every_parameter_reaches_the_rtl(change: dict[str, object]) -> None:
    other = dataclasses.replace(WS, **change)  # type: ignore[arg-type]
    assert systolic_constants(other) != systolic_constants(WS)
    assert emit(other)[f"{other.name}.sv"] != emit(WS)[f"{WS.name}.sv"]


@pytest.mark.parametrize("params", [WS, OS, IS], ids=lambda params: params.name)
def test_sources_are_complete_and_each_file_holds_its_module(params: SystolicParams) -> None:
    sources = emit(params)
    defined = set()
    for name, text in sources.items():
        if name.endswith(".sv"):
            assert re.findall(r"^module (\w+)", text, re.MULTILINE) == [name.removesuffix(".sv")]
            defined.add(name.removesuffix(".sv"))
    used = {match for text in sources.values() for match in re.findall(r"^ +(\w+) #\(", text, re.MULTILINE)}
    assert used - {"module"} <= defined
    assert defined - used == {params.name}
    assert sources[f"{params.name}.f"].split() == [name for name in sources if name.endswith(".sv")]


def test_write_makes_the_folder_and_repeats_itself(tmp_path: Path) -> None:
    first = write(WS, tmp_path / "a" / "b")
    second = write(WS, tmp_path / "c")
    assert [path.name for path in first] == list(emit(WS))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_write_refuses_a_file_as_folder(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(InputError, match=r"^rtl: output '.*taken' is not a folder; choose another path$"):
        write(WS, tmp_path / "taken")


def test_unknown_parameter_type_is_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"^rtl: no generator for parameters of type Int; known: .*SystolicParams"):
        emit(Int(8))


def test_unknown_simulator_is_refused() -> None:
    with pytest.raises(InputError, match=r"^rtl simulator 'vcs': known are 'icarus' and 'verilator'; choose one$"):
        find_simulator("vcs")


def test_missing_simulator_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("cocotb_tools")
    monkeypatch.setenv("PATH", "")
    message = r"^rtl simulator 'icarus': no program 'iverilog' on PATH; run: apt-get install iverilog$"
    with pytest.raises(InputError, match=message):
        find_simulator("icarus")
