"""N:M reduction on paper: the kept values against a written-out list, ties, cycles, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.dot import DotParams
from hw_models.topk import TopKParams
from rtl.emit import emit
from rtl.stimulus import CORNERS, draw
from rtl.stream_core import stream_work
from tests.cosim.topk_cases import CORES
from tests.reference.profile import examples
from workloads.errors import InputError
from workloads.formats import Float16, Float32, FloatFormat, Int


def streamed(group: list[int], n: int) -> list[int]:
    """Return the indices kept by a list of N entries that reads one value after another."""
    kept: list[int] = []
    for index, value in enumerate(group):
        if value == 0:
            continue
        if len(kept) == n:
            least = min(kept, key=lambda place: (abs(group[place]), -place))
            if abs(value) <= abs(group[least]):
                continue
            kept.remove(least)
        kept.append(index)
    return kept


def ranked(group: list[int], n: int) -> list[int]:
    """Return the indices of the N best of (magnitude, lower index) that are not zero, ascending."""
    best = sorted(range(len(group)), key=lambda place: (-abs(group[place]), place))[:n]
    return sorted(place for place in best if group[place] != 0)


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_every_group_of_four_small_values(n: int) -> None:
    params = TopKParams(n, 4, Int(3), 1)
    groups = np.array(list(product(range(-4, 4), repeat=4)))
    assert len(groups) == 4096
    for group, mask in zip(groups.tolist(), params.mask(groups), strict=True):
        assert np.flatnonzero(mask).tolist() == ranked(group, n) == streamed(group, n)


@settings(max_examples=examples(150), deadline=None)
@given(data=st.data(), m=st.integers(1, 16), groups=st.integers(1, 4), bits=st.integers(2, 8))
def test_golden_keeps_what_the_list_keeps(data: st.DataObject, m: int, groups: int, bits: int) -> None:
    params = TopKParams(data.draw(st.integers(1, m)), m, Int(bits), 1)
    length = data.draw(st.integers(1, groups * m))
    form = params.value_format
    row = data.draw(st.lists(st.integers(int(form.min), int(form.max)), min_size=length, max_size=length))
    wanted = [0] * length
    for start in range(0, length, m):
        for place in streamed(row[start : start + m], params.n):
            wanted[start + place] = row[start + place]
    assert params.golden(np.array([row])).tolist() == [wanted]


@pytest.mark.parametrize("params", CORES, ids=lambda params: f"{params.name}-{params.lanes}")
def test_words_are_the_weight_words_of_the_dot_product_core(params: TopKParams) -> None:
    dot = DotParams(params.slots, params.lanes, 63) if params.value_format.bits <= 16 else None
    rng = np.random.default_rng(4)
    for corner in CORNERS:
        (codes,) = draw(params, rng, corner)
        work = stream_work(params, codes)
        assert len(work.outputs["m_axis_o"].data) * params.m == len(work.inputs["s_axis_v"].data) == work.cycles
        if dot is not None:
            taken = stream_work(dot, np.zeros_like(codes), params.golden(codes)).inputs["s_axis_w"]
            assert taken == work.outputs["m_axis_o"]


def test_finite_floats_are_ranked_by_magnitude() -> None:
    codes = np.arange(0x7C00, dtype=np.int64)
    values = codes.astype(np.uint16).view(np.float16).astype(np.float64)
    magnitudes = TopKParams(1, 2, Float16(), 1).magnitudes(codes)
    assert (np.diff(values) > 0).all() and (np.diff(magnitudes) > 0).all()
    negative_zero = TopKParams(2, 2, Float16(), 1).golden(np.array([[0x8000, 0x8001]]))
    assert negative_zero.tolist() == [[0, 0x8001]]


def test_ties_go_to_the_lower_index_and_the_sign_is_kept() -> None:
    assert TopKParams(2, 4, Int(8), 1).golden(np.array([[1, -1, 1, -1]])).tolist() == [[1, -1, 0, 0]]
    assert TopKParams(1, 4, Int(8), 1).golden(np.array([[127, -128, 0, -128]])).tolist() == [[0, -128, 0, 0]]
    assert TopKParams(2, 4, Int(8, False), 1).golden(np.array([[127, 255, 128, 255]])).tolist() == [[0, 255, 0, 255]]


def test_cycles_are_m_per_group() -> None:
    params = TopKParams(2, 8, Int(8), lanes=3)
    assert params.latency_cycles == 8
    assert [params.cycles([length]) for length in (1, 24, 25)] == [8, 8, 16]
    assert params.cycles([24, 1, 49]) == 8 * (1 + 1 + 3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TopKParams(0, 4, Int(8), 1), "0:4, bound is 1 <= N <= M <= 16"),
        (lambda: TopKParams(5, 4, Int(8), 1), "5:4, bound is 1 <= N <= M <= 16"),
        (lambda: TopKParams(2, 17, Int(8), 1), "2:17, bound is 1 <= N <= M <= 16"),
        (lambda: TopKParams(2, 4, Int(8), 0), r"lanes is 0, bound is 1\.\.256"),
        (lambda: TopKParams(2, 4, Int(33), 1), "33 bits"),
        (lambda: TopKParams(2, 4, FloatFormat(11, 52, "float64"), 1), "64 bits"),
        (lambda: TopKParams(2, 4, Int(8), 1).golden(np.array([[128]])), r"span 128\.\.128"),
        (lambda: TopKParams(2, 4, Int(8), 1).golden(np.array([1, 2])), r"bound is \(rows, length\)"),
        (lambda: TopKParams(2, 4, Int(8), 1).cycles([]), "no rows"),
        (lambda: TopKParams(2, 4, Int(8), 1).cycles([0]), "row length is 0"),
    ],
)
def test_illegal_parameters_are_refused_with_the_bound(make: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


def test_same_parameters_same_bytes() -> None:
    params = TopKParams(2, 4, Float32(), 32)
    assert params.name == "topk_2of4_float32"
    assert emit(params) == emit(params)
