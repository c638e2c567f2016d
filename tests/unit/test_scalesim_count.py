"""The SCALE-Sim convention against a twin that walks every fold and every PE."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.scalesim import ScaleSimConfig, count, report_notes, scalesim_report
from tests.reference.profile import examples
from workloads.errors import InputError
from workloads.scalesim_csv import ScaleSimLayer, ScaleSimTopology

SIDE = st.integers(1, 6)
DIM = st.integers(1, 17)


def chunks(total: int, step: int) -> Iterator[int]:
    """Yield the used length of each fold along one axis."""
    for start in range(0, total, step):
        yield min(step, total - start)


def last_event(dataflow: str, rows: int, cols: int, steps: int) -> int:
    """Return the cycles of one fold from the last MAC of any PE, operands entering one PE per cycle."""
    load = 0 if dataflow == "os" else rows
    return max(load + step + r + c + 1 for step in range(steps) for r in range(rows) for c in range(cols))


@settings(max_examples=examples(150))
@given(st.sampled_from(["os", "ws", "is"]), SIDE, SIDE, DIM, DIM, DIM)
def test_counts_equal_the_walk(dataflow: str, rows: int, cols: int, m: int, k: int, n: int) -> None:
    over_rows, over_cols, steps = {"os": (m, n, k), "ws": (k, n, m), "is": (k, m, n)}[dataflow]
    cycles = folds = used = ifmap = weights = ofmap = 0
    for r in chunks(over_rows, rows):
        for c in chunks(over_cols, cols):
            folds += 1
            used += r * c
            # a fold costs a full one; outputs of ws and is leave through the bottom row
            cycles += last_event(dataflow, rows, cols, steps)
            if dataflow == "os":
                ifmap, weights, ofmap = ifmap + r * k, weights + c * k, ofmap + r * c
            elif dataflow == "ws":
                ifmap, weights, ofmap = ifmap + r * m, weights + r * c, ofmap + c * m
            else:
                ifmap, weights, ofmap = ifmap + r * c, weights + r * n, ofmap + c * n
    got = count(dataflow, rows, cols, m, k, n)  # type: ignore[arg-type]
    assert (got.folds, got.compute_cycles) == (folds, cycles)
    assert got.mapping_efficiency == used / (folds * rows * cols)
    assert (got.ifmap_reads, got.filter_reads, got.ofmap_writes) == (ifmap, weights, ofmap)
    assert got.printed_total_cycles == cycles - 1
    assert got.printed_ofmap_writes - got.ofmap_writes == (folds * (rows + cols) if dataflow == "os" else 0)


@given(SIDE, SIDE, DIM, DIM, DIM)
def test_os_is_symmetric(rows: int, cols: int, m: int, k: int, n: int) -> None:
    assert count("os", rows, cols, m, k, n).compute_cycles == count("os", cols, rows, n, k, m).compute_cycles


def test_folds_by_hand() -> None:
    got = count("ws", 32, 32, 3025, 363, 96)
    assert (got.row_folds, got.col_folds, got.cycles_per_fold) == (ceil(363 / 32), 3, 3025 + 64 + 32 - 2)


def layer(ratio: tuple[int, int] = (1, 1)) -> ScaleSimLayer:
    return ScaleSimLayer("l", 5, 6, 7, ratio, 2, (("M", 5), ("N", 7), ("K", 6)))


def test_report_rows() -> None:
    config = ScaleSimConfig("r", 4, 4, "os", False, ("layout.x",))
    topology = ScaleSimTopology("t", "gemm", (layer(), layer((2, 4))), ("t.csv:3: blank row skipped",))
    rows = scalesim_report(config, topology)
    assert [row["compute_cycles"] for row in rows] == [4 * (6 + 6), 4 * (6 + 6)]
    assert rows[0]["macs"] == 210
    assert 0 < rows[0]["utilisation"] <= rows[0]["mapping_efficiency"] <= 1
    notes = report_notes(config, topology)
    assert notes[0] == "t.csv:3: blank row skipped"
    assert "N:M column has no effect" in notes[1]
    assert "layout.x" in notes[2]


def test_sparsity_is_refused_where_it_would_change_the_folds() -> None:
    config = ScaleSimConfig("r", 4, 4, "ws", True, ())
    assert scalesim_report(config, ScaleSimTopology("t", "gemm", (layer((2, 2)),), ()))
    with pytest.raises(InputError, match=r"layer 'l' \(line 2\): sparsity is 2:4, bound is 1:1 under SparsitySupport"):
        scalesim_report(config, ScaleSimTopology("t", "gemm", (layer((2, 4)),), ()))
