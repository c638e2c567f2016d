"""Zero-point correction on paper: four terms against the definition, widths that are least, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.systolic import SystolicParams, derived_accumulator
from hw_models.zero_point import ZeroPointParams
from rtl.emit import emit
from rtl.stimulus import CORNERS, draw
from tests.cosim.zero_point_cases import CORES, tight
from tests.reference.profile import examples
from workloads.errors import InputError
from workloads.formats import Int

FORMATS = st.builds(Int, st.integers(1, 16), st.booleans())


@settings(max_examples=examples(150), deadline=None)
@given(a_form=FORMATS, w_form=FORMATS, length=st.integers(1, 40), seed=st.integers(0, 1 << 32), data=st.data())
def test_corrected_raw_sums_are_the_asymmetric_product(
    a_form: Int, w_form: Int, length: int, seed: int, data: st.DataObject
) -> None:
    sums = derived_accumulator(a_form, w_form, length)
    params = ZeroPointParams(a_form, w_form, sums, 3, length)
    array = SystolicParams("ws", 2, 3, a_form, w_form, sums, 8)
    corner = data.draw(st.sampled_from(CORNERS))
    a, w, za, zw = draw(params, np.random.default_rng(seed), corner)
    raw = array.golden(a, w)
    corrected = params.corrected(raw, a.sum(axis=1), zw, params.folded(w, za, zw))
    for m, n in product(range(len(a)), range(w.shape[1])):
        naive = sum((int(x) - za) * (int(y) - int(zw[n])) for x, y in zip(a[m], w[:, n], strict=True))
        assert corrected[m, n] == naive
    assert np.array_equal(corrected, params.golden(a, w, za, zw))


@pytest.mark.parametrize("params", CORES, ids=lambda params: f"{params.name}-{params.length}")
def test_widths_are_least(params: ZeroPointParams) -> None:
    i, w, length = params.input_format, params.weight_format, params.length
    differences = [x - z for x, z in product((i.min, i.max), repeat=2)]
    most = max(length * d * (y - z) for d in differences for y, z in product((w.min, w.max), repeat=2))
    out, row = params.output_format, params.row_sum_format
    assert out.signed
    assert out.max >= most > Int(out.bits - 1).max
    rows = (length * i.min, length * i.max)
    assert row.min <= rows[0] <= rows[1] <= row.max
    if row.bits > 1:
        less = Int(row.bits - 1, row.signed)
        assert rows[0] < less.min or rows[1] > less.max


def test_cycles_are_one_per_vector_and_three() -> None:
    params = ZeroPointParams(Int(8), Int(8), Int(32), 4, 16)
    assert [params.cycles(*shape) for shape in ((1, 1), (1, 4), (1, 5), (10, 8))] == [3, 3, 4, 22]


def zero(**changes: object) -> ZeroPointParams:
    values: dict[str, object] = {
        "input_format": Int(8), "weight_format": Int(8), "sum_format": Int(24), "cols": 2, "length": 4,
    }  # fmt: skip
    return ZeroPointParams(**{**values, **changes})  # type: ignore[arg-type]


ONE = np.array([[1]])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: zero(cols=0), r"^zero-point core: cols is 0, bound is 1\.\.1024; choose a count in it$"),
        (lambda: zero(length=0), r"length is 0, bound is 1\.\.16777216"),
        (lambda: zero(weight_format=Int(17)), "weight_format is int17, bound is 16 bits"),
        (lambda: zero(sum_format=Int(17)), "sum_format is int17, 4 products of int8 and int8 need int18; widen"),
        (lambda: zero(sum_format=Int(32, signed=False)), "sum_format is uint32, 4 products of int8 and int8 need"),
        (lambda: zero().cycles(0, 1), "a result of 0 x 1"),
        (lambda: zero().golden(ONE, ONE, 128, [0]), r"activation zero point span 128\.\.128, bound is -128\.\.127"),
        (lambda: zero().golden(ONE, ONE, 0, [-129]), r"zero points span -129\.\.-129"),
        (lambda: zero().golden(ONE * 200, ONE, 0, [0]), r"activations span 200\.\.200"),
        (lambda: zero().golden(ONE, ONE * 200, 0, [0]), r"weights span 200\.\.200"),
        (lambda: zero().golden(ONE, ONE, 0, [0, 0]), r"zero points \(2,\), bound is \(M, K\), \(K, N\) and \(N,\)"),
        (lambda: zero().golden(ONE / 2, ONE, 0, [0]), "operands are not integers; quantise first"),
        (lambda: zero().golden(np.zeros((1, 5), int), np.zeros((5, 1), int), 0, [0]), "length is 5, bound is 4"),
    ],
)
def test_illegal_parameters_are_refused_with_the_bound(make: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


def test_same_parameters_same_bytes() -> None:
    params = tight(Int(8, signed=False), Int(8), 16, 4096)
    assert params.name == "zero_point_uint8xint8"
    assert (str(params.sum_format), str(params.output_format)) == ("int28", "int29")
    assert emit(params) == emit(params)
