"""Generated SystemVerilog is clean under Verilator's full lint and under slang."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from hw_models.systolic import SystolicParams
from rtl.emit import write
from rtl.simulator import verilator_root
from tests.cosim import dot_cases
from tests.cosim.engine_cases import BOTH, HASTY, INPUTS_STAY, OUTPUTS_STAY, THREE
from tests.cosim.systolic_cases import DATAFLOWS, FORMATS, core
from tilewright.cores import list_cores

pytestmark = pytest.mark.cosim

CORES = [core(dataflow, *size) for dataflow in DATAFLOWS for size in ((1, 1), (1, 4), (4, 1), (3, 5), (32, 32))]
CORES += [core(dataflow, 2, 3, formats, accumulator_depth=1) for dataflow in DATAFLOWS for formats in FORMATS]
ENGINES = (OUTPUTS_STAY, BOTH, INPUTS_STAY, THREE, HASTY)
LISTED: list[object] = [row.params for row in list_cores() if not row.sized]
EVERY: list[object] = [*CORES, *LISTED, *dot_cases.CORES, *ENGINES]


def identifier(params: object) -> str:
    """Return a readable test name."""
    if isinstance(params, SystolicParams):
        return f"{params.name}-{params.rows}x{params.cols}-{params.accumulator_format}"
    return f"{getattr(params, 'name', '')}-{getattr(params, 'lanes', '')}"


@pytest.mark.parametrize("params", EVERY, ids=identifier)
def test_verilator_lint_is_silent(params: object, tmp_path: Path) -> None:
    write(params, tmp_path)
    name = str(getattr(params, "name", ""))
    root = verilator_root()
    run = subprocess.run(
        [root / "bin" / "verilator", "--lint-only", "-Wall", "--top-module", name, "-f", f"{name}.f"],
        cwd=tmp_path,
        env={**os.environ, "VERILATOR_ROOT": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    findings = [line for line in (run.stdout + run.stderr).splitlines() if line.startswith("%")]
    assert findings == []
    assert run.returncode == 0


@pytest.mark.parametrize("params", EVERY, ids=identifier)
def test_slang_has_no_diagnostics(params: object, tmp_path: Path) -> None:
    pyslang = pytest.importorskip("pyslang.driver", reason="pip install 'tilewright[rtl]'")
    paths = [str(path) for path in write(params, tmp_path) if path.suffix == ".sv"]
    driver = pyslang.Driver()
    driver.addStandardArgs()
    # A width cast may change nothing for some parameters.
    options = [
        "slang",
        "-Wextra",
        "-Wpedantic",
        "-Wconversion",
        "-Wno-useless-cast",
        "--top",
        str(getattr(params, "name", "")),
    ]
    assert driver.parseCommandLine(" ".join([*options, *paths]))
    assert driver.processOptions()
    assert driver.parseAllSources()
    assert driver.runFullCompilation(True)
    assert (driver.diagEngine.numErrors, driver.diagEngine.numWarnings) == (0, 0)
