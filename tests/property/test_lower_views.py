"""Strided views against arrays of addresses, and beats against a count byte by byte."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mappers.commands import Transfer
from mappers.views import View, dense
from tests.reference.naive_program_check import naive_beats, naive_bytes
from tests.reference.profile import examples


def _addresses(view: View) -> np.ndarray:
    """Return the addresses of a dense view by its definition, one element at a time."""
    flat = np.empty(view.shape, dtype=np.int64)
    for index in np.ndindex(*view.shape):
        transfers = view.transfers(0, [(i, i + 1) for i in index])
        assert len(transfers) == 1 and transfers[0].bytes == view.element_bytes
        flat[index] = transfers[0].address
    return flat


@st.composite
def _changed_views(draw: st.DrawFn) -> tuple[View, np.ndarray]:
    shape = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=4)))
    order = draw(st.permutations(range(len(shape))))
    element = draw(st.sampled_from([1, 2, 4]))
    view = dense("block", shape, order, element)
    array = np.arange(np.prod(shape)).reshape([shape[a] for a in order]).transpose(np.argsort(order)) * element
    for _ in range(draw(st.integers(0, 4))):
        kind = draw(st.sampled_from(["permute", "reshape", "narrow", "expand"]))
        if kind == "permute":
            perm = draw(st.permutations(range(array.ndim)))
            view, array = view.permute(perm), array.transpose(perm)
        elif kind == "reshape":
            left = array.size
            target = []
            while left > 1:
                size = draw(st.sampled_from([d for d in range(2, left + 1) if left % d == 0]))
                target.append(size)
                left //= size
            made = view.reshape(target)
            if made is not None:
                view, array = made, array.reshape(target)
        elif kind == "narrow" and array.ndim:
            axis = draw(st.integers(0, array.ndim - 1))
            start = draw(st.integers(0, array.shape[axis] - 1))
            stop = draw(st.integers(start + 1, array.shape[axis]))
            step = draw(st.integers(1, 3))
            made = view.narrow(axis, start, stop, step)
            if made is not None:
                cut = [slice(None)] * array.ndim
                cut[axis] = slice(start, stop, step)
                view, array = made, array[tuple(cut)]
        elif kind == "expand" and array.size < 200:
            target = [draw(st.integers(1, 2)), *(2 if n == 1 else n for n in array.shape)]
            view, array = view.expand(target), np.broadcast_to(array, target)
    return view, array


@given(_changed_views())
@settings(max_examples=examples(150))
def test_views_address_what_arrays_do(case: tuple[View, np.ndarray]) -> None:
    view, array = case
    assert view.shape == array.shape
    assert np.array_equal(_addresses(view), array)


@given(_changed_views(), st.data())
@settings(max_examples=examples(150))
def test_descriptors_move_exactly_the_box(case: tuple[View, np.ndarray], data: st.DataObject) -> None:
    view, array = case
    box = []
    for size in array.shape:
        start = data.draw(st.integers(0, size - 1))
        box.append((start, data.draw(st.integers(start + 1, size))))
    wanted = array[tuple(slice(*part) for part in box)].reshape(-1)
    expected = sorted(int(a) + i for a in wanted for i in range(view.element_bytes))
    transfers = view.transfers(1000, box)
    assert sorted(a - 1000 for a in naive_bytes(transfers)) == expected
    assert sum(t.bytes for t in transfers) == len(expected)


@given(
    st.integers(0, 100),
    st.integers(1, 70),
    st.lists(st.tuples(st.integers(1, 9), st.integers(0, 90)), max_size=3),
    st.sampled_from([1, 2, 8, 32, 64]),
)
@settings(max_examples=examples(200))
def test_beats_are_those_counted_byte_by_byte(
    address: int, run: int, nest: list[tuple[int, int]], beat_bytes: int
) -> None:
    transfer = Transfer(address, run, tuple(n for n, _ in nest), tuple(p for _, p in nest))
    assert transfer.beats(beat_bytes) == naive_beats(transfer, beat_bytes)


def test_contiguous_boxes_are_one_run() -> None:
    image = dense("t", (1, 64, 8, 8), (0, 2, 3, 1), 1)
    assert image.transfers(0, [(0, 1), (0, 64), (2, 5), (0, 8)]) == (Transfer(1024, 1536),)
    assert image.transfers(0, [(0, 1), (0, 64), (2, 5), (1, 3)]) == (Transfer(1088, 128, (3,), (512,)),)
    assert image.transfers(0, [(0, 1), (16, 32), (0, 8), (0, 8)]) == (Transfer(16, 16, (64,), (64,)),)


@pytest.mark.parametrize("order", [(0, 2, 3, 1), (0, 1, 2, 3)])
def test_element_wise_transposition_pays_a_run_per_element(order: tuple[int, ...]) -> None:
    view = dense("t", (1, 4, 3, 3), order, 1)
    rows = view.permute((0, 2, 3, 1) if order == (0, 1, 2, 3) else (0, 1, 2, 3))
    innermost = [(0, size) if place == 3 else (0, 1) for place, size in enumerate(rows.shape)]
    (transfer,) = rows.transfers(0, innermost)
    assert transfer.run_bytes == 1 and transfer.runs == rows.shape[3]
