"""SystolicParams and FoldJob: folds, cycles of known cases, widths, messages."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.systolic import FoldJob, SystolicParams
from workloads.errors import InputError
from workloads.formats import Int


def ws(rows: int = 4, cols: int = 4, **changes: object) -> SystolicParams:
    values: dict[str, object] = {
        "dataflow": "ws",
        "rows": rows,
        "cols": cols,
        "input_format": Int(8),
        "weight_format": Int(8),
        "accumulator_format": Int(32),
        "accumulator_depth": 64,
    }
    return SystolicParams(**{**values, **changes})  # type: ignore[arg-type]


def os_core(rows: int = 4, cols: int = 4, **changes: object) -> SystolicParams:
    return ws(rows, cols, **{"dataflow": "os", **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dataflow": "rs"}, r"^systolic core: dataflow is 'rs', bound is 'ws', 'os' or 'is'; choose one$"),
        ({"rows": 0}, r"^systolic core: rows is 0, bound is 1\.\.1024; choose a size in it$"),
        ({"cols": -1}, r"^systolic core: cols is -1, bound is 1\.\.1024; choose a size in it$"),
        (
            {"accumulator_depth": 0},
            r"^systolic core: accumulator_depth is 0, bound is 1\.\.16777216; choose a size in it$",
        ),
        (
            {"accumulator_format": Int(15)},
            r"^systolic core: accumulator int15 has 15 bits, one product of int8 and int8 needs 16; widen the accum",
        ),
        (
            {"accumulator_format": Int(32, signed=False)},
            r"^systolic core: accumulator uint32 is unsigned, products of int8 and int8 reach -16256; use a signed",
        ),
        (
            {"accumulator_format": Int(64, signed=False)},
            r"^systolic core: accumulator is uint64, bound is uint63 or int64; narrow it$",
        ),
    ],
)
def test_bad_parameters_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ws(**changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("field", ["stream", "row_folds", "col_folds"])
def test_empty_job_is_refused(field: str) -> None:
    with pytest.raises(InputError, match=rf"^fold job: {field} is 0, bound is >= 1; leave out empty jobs$"):
        FoldJob(**{"stream": 1, "row_folds": 1, "col_folds": 1, field: 0})


def test_name_tells_dataflow_and_operands() -> None:
    assert ws().name == "systolic_ws_int8"
    assert os_core().name == "systolic_os_int8"
    assert ws(input_format=Int(8, signed=False)).name == "systolic_ws_uint8xint8"


def test_job_for_maps_the_reduction_onto_rows_or_time() -> None:
    assert ws(4, 8).job_for(m=10, k=9, n=16) == FoldJob(stream=10, row_folds=3, col_folds=2)
    assert os_core(4, 8).job_for(m=10, k=9, n=17) == FoldJob(stream=9, row_folds=3, col_folds=3)
    assert os_core(4, 8).job_for(m=10, k=9, n=17).folds == 9


@pytest.mark.parametrize(
    ("params", "shape", "cycles"),
    [
        # 1 x 1, one of everything: 1 load + 1 stream + operand, MAC, read, add.
        (ws(1, 1), (1, 1, 1), 1 + 1 + 4),
        # load 4, stream 10, wavefront 3 + 3, four registers.
        (ws(4, 4), (10, 4, 4), 4 + 10 + 6 + 4),
        # short streams: the next fold waits for its 4 weight rows.
        (ws(4, 4), (2, 8, 4), 4 + 4 + 2 + 6 + 4),
        (os_core(1, 1), (1, 1, 1), 1 + 2),
        # stream 10, wavefront 3 + 3, two registers, three rows behind the first.
        (os_core(4, 4), (4, 10, 4), 10 + 6 + 2 + 3),
        # short streams: the next fold waits for 4 result rows.
        (os_core(4, 4), (8, 2, 4), 4 + 2 + 6 + 2 + 3),
    ],
)
def test_cycles_of_cases_counted_by_hand(params: SystolicParams, shape: tuple[int, int, int], cycles: int) -> None:
    assert params.cycles(params.job_for(*shape)) == cycles


def test_cycles_refuse_operands_of_another_job() -> None:
    params = ws()
    job = params.job_for(2, 4, 4)
    a, w = np.zeros((2, 4), np.int64), np.zeros((4, 4), np.int64)
    assert params.cycles(job, (a, w)) == params.cycles(job)
    with pytest.raises(
        InputError, match=r"^core 'systolic_ws_int8': operands \(2, 4\) x \(4, 4\) are not those of Fold"
    ):
        params.cycles(params.job_for(3, 4, 4), (a, w))


@pytest.mark.parametrize(
    ("k", "bits"),
    # 2**14 * k is the greatest sum; it needs one bit more at k = 2, and again at 4.
    [(1, 16), (2, 17), (3, 17), (4, 18), (1 << 16, 32), (1 << 17, 33)],
)
def test_required_accumulator_bits_of_int8(k: int, bits: int) -> None:
    assert ws().required_accumulator_bits(k) == bits


def test_required_accumulator_bits_refuses_empty_reduction() -> None:
    with pytest.raises(InputError, match=r"reduction length k is 0, bound is >= 1"):
        ws().required_accumulator_bits(0)


def test_golden_wraps_as_the_accumulator() -> None:
    params = ws(accumulator_format=Int(16))
    assert params.golden([[-128, -128]], [[-128], [-128]]).tolist() == [[-32768]]
    assert ws().golden([[-128, -128]], [[-128], [-128]]).tolist() == [[32768]]


@pytest.mark.parametrize(
    ("a", "w", "message"),
    [
        ([[128]], [[1]], r"^core 'systolic_ws_int8': activations span 128\.\.128, int8 holds -128\.\.127; quantise or"),
        ([[1]], [[-129]], r"weights span -129\.\.-129, int8 holds"),
        ([[1.5]], [[1]], r"activations have shape \(1, 1\) and dtype float64, a non-empty integer matrix is needed"),
        ([[1, 2]], [[1]], r"activations \(1, 2\) and weights \(1, 1\) do not multiply; make the inner sizes equal$"),
        (np.zeros((0, 1), np.int8), [[1]], r"activations have shape \(0, 1\)"),
    ],
)
def test_golden_refuses_what_the_formats_do_not_hold(a: object, w: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        ws().golden(a, w)  # type: ignore[arg-type]


def test_check_job_knows_counters_and_accumulator_memory() -> None:
    params = ws(accumulator_depth=4)
    params.check_job(FoldJob(stream=5, row_folds=1, col_folds=1))
    params.check_job(FoldJob(stream=4, row_folds=2, col_folds=1))
    with pytest.raises(InputError, match=r"a job of 2 row folds streams 5 vectors, its accumulator_depth is 4; split"):
        params.check_job(FoldJob(stream=5, row_folds=2, col_folds=1))
    with pytest.raises(InputError, match=r"stream is 16777216, bound is 16777215; split the job$"):
        params.check_job(FoldJob(stream=1 << 24, row_folds=1, col_folds=1))
