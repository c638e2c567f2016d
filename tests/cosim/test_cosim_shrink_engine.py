"""A planted mistake in the layer engine: the smallest failing layer, and a folder that shows it with Icarus alone."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from rtl.engine_top import bench_sources
from tests.cosim.engine_cases import BASE, make_case
from tests.cosim.engine_networks import pooled_residual, products
from tilewright.cli import run
from tilewright.engine_case import EngineCase
from tilewright.engine_shrink import EngineFailure, Shrinker, write_failure
from tilewright.engine_trial import Trial

pytestmark = pytest.mark.cosim

WRONG = ("engine_pixels.sv", "x_at <= y_at + j_y_bytes;", "x_at <= y_at;")


@cache
def case() -> EngineCase:
    """Return a residual block with every parameter different along y and x, under a drawn mapping."""
    return make_case(BASE, pooled_residual, 38)


def sources(one: EngineCase) -> dict[str, str]:
    """Return the RTL as it is, with a memory for `one`."""
    return bench_sources(one.params, -(-one.program.dram_bytes // one.params.beat_bytes))


def planted(clean: dict[str, str]) -> dict[str, str]:
    """Return `clean` with a mistake: the second row of a tile is read where the first stands."""
    file, old, new = WRONG
    assert old in clean[file]
    return {**clean, file: clean[file].replace(old, new)}


def played(folder: Path) -> str:
    """Run the bench of `folder` and return what it prints."""
    return subprocess.run(["sh", "run.sh"], cwd=folder, capture_output=True, text=True, check=True).stdout


def judged_by(monkeypatch: pytest.MonkeyPatch, wrong: Callable[[EngineCase], bool]) -> EngineFailure | None:
    """Return what is found from `case` where `wrong` tells what goes wrong, instead of a simulation."""

    def kinds(_: Shrinker, cases: Sequence[EngineCase]) -> list[str]:
        return ["value" if wrong(one) else "" for one in cases]

    monkeypatch.setattr(Shrinker, "_kinds", kinds)
    return Shrinker(case(), {}).shrink()


def lead_sizes(one: EngineCase) -> tuple[int, int, int]:
    """Return input channels, output channels and output rows of the first layer."""
    d = one.groups[0].lead.dims  # type: ignore[attr-defined]
    return d.C, d.K, d.OY


def test_what_is_found_is_as_small_as_the_mistake_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    found = judged_by(monkeypatch, lambda one: lead_sizes(one)[0] >= 2 and lead_sizes(one)[2] >= 2)
    assert found is not None
    assert found.trial is not None
    assert lead_sizes(found.case) == (2, 1, 2)
    trial = found.trial
    assert (trial.second, trial.relu, trial.pool, trial.stride, trial.dilation) == (None, False, (1, 1), (1, 1), (1, 1))
    assert trial.constants.weights.shape == (1, 2, 1, 1)
    assert not np.count_nonzero(trial.image) + np.count_nonzero(trial.constants.weights)
    assert judged_by(monkeypatch, lambda one: False) is None


def test_what_no_layer_shows_alone_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    found = judged_by(monkeypatch, lambda one: one is case())
    assert found is not None
    assert (found.case, found.kind, found.trial) == (case(), "value", None)
    assert found.summary == "network 'case'"


def test_folder_fails_by_itself_and_passes_when_the_mistake_is_taken_back(tmp_path: Path) -> None:
    one = make_case(BASE, pooled_residual, 38)
    clean = sources(one)
    write_failure(tmp_path / "wrong", EngineFailure(one, "value"), planted(clean))
    assert "FAIL: " in played(tmp_path / "wrong")
    write_failure(tmp_path / "clean", EngineFailure(one, "value"), clean)
    assert f"PASS: {one.predicted_cycles} cycles" in played(tmp_path / "clean").splitlines()
    assert (tmp_path / "clean" / "waves.fst").stat().st_size > 1000
    bits = [line for line in (tmp_path / "clean" / "waves.gtkw").read_text().splitlines() if line.startswith("tb.")]
    assert "tb.dut.u_dut.u_engine.out_data[15:0]" in bits


def test_verify_leaves_the_folder_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import rtl.engine_top

    monkeypatch.setattr(rtl.engine_top, "bench_sources", lambda *how: planted(bench_sources(*how)))
    monkeypatch.setattr(Shrinker, "shrink", lambda self: EngineFailure(self.case, "value"))  # its own tests are above
    machine = ["engine_8x8", "--set", "core.rows=2", "--set", "core.cols=2", "--set", "core.vector.lanes=2"]
    assert run(["verify", *machine, "--jobs", "4", "-o", str(tmp_path)]) == 4
    (folder,) = tmp_path.glob("mismatch_layer_engine_*")
    assert "smallest case found" in capsys.readouterr().err
    assert "FAIL: " in played(folder)


@pytest.mark.nightly
@pytest.mark.parametrize("network", [pooled_residual, products])
def test_planted_mistake_is_shrunk_and_shown(network: Callable[..., str], tmp_path: Path) -> None:
    one = make_case(BASE, network, 38)
    clean = sources(one)
    wrong = planted(clean) if network is pooled_residual else _late(clean)
    found = Shrinker(one, wrong).shrink()
    assert found is not None
    assert isinstance(found.trial, Trial)
    assert found.kind == ("value" if network is pooled_residual else "cycle")
    assert found.trial.weight[0] <= 16
    write_failure(tmp_path / "wrong", found, wrong)
    assert "FAIL" in played(tmp_path / "wrong")
    write_failure(tmp_path / "clean", found, clean)
    assert "PASS" in played(tmp_path / "clean")


def _late(clean: dict[str, str]) -> dict[str, str]:
    """Return `clean` with a vector unit that completes a cycle late."""
    assert ".DEPTH (LATENCY)" in clean["engine_vector.sv"]
    return {**clean, "engine_vector.sv": clean["engine_vector.sv"].replace(".DEPTH (LATENCY)", ".DEPTH (LATENCY + 1)")}
