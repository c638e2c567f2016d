"""Scratchpads on paper: cycle by cycle and pixel by pixel twins, shift layers, and what is refused."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.scratchpad import NO_ACCESS, BankedParams
from hw_models.shift_read import ShiftReadParams
from rtl.emit import emit
from rtl.stimulus import CORNERS, draw
from rtl.stream_core import stream_work
from tests.cosim.scratchpad_cases import BANKED, CORES, SHIFTS
from tests.reference.profile import examples
from workloads.errors import InputError


def simulated(params: BankedParams, read_at: np.ndarray, write_at: np.ndarray, data: np.ndarray) -> tuple[list, int]:
    """Serve queues bank by bank, cycle by cycle; return read words and cycles."""
    banks: list[dict[int, int]] = [{} for _ in range(params.banks)]
    result, cycles = [], 0
    for reads, writes, words in zip(read_at, write_at, data, strict=True):
        queues: list[list[tuple[str, int, int]]] = [[] for _ in banks]
        row = [0] * params.reads
        for port, at in enumerate(reads):
            if at != NO_ACCESS:
                queues[at % params.banks].append(("read", port, int(at)))
        for at, word in zip(writes, words, strict=True):
            if at != NO_ACCESS:
                queues[at % params.banks].append(("write", int(word), int(at)))
        cycles += 1
        while any(queues):
            for bank, queue in zip(banks, queues, strict=True):
                if queue:
                    kind, what, at = queue.pop(0)
                    if kind == "read":
                        row[what] = bank[at]
                    else:
                        bank[at] = what
            cycles += any(queues)
        result.append(row)
    return result, cycles


@pytest.mark.parametrize("params", BANKED, ids=lambda params: params.name)
def test_banks_served_cycle_by_cycle_give_the_golden_words_and_cycles(params: BankedParams) -> None:
    rng = np.random.default_rng(1)
    for index in range(examples(20)):
        operands = draw(params, rng, CORNERS[index % len(CORNERS)])
        words, cycles = simulated(params, *operands)
        assert params.golden(*operands).tolist() == words
        assert params.cycles(*operands) == cycles + 2 == params.result_cycles(*operands)[-1]


def test_no_two_words_of_consecutive_addresses_conflict() -> None:
    params = BankedParams(8, 4, 8, 8, 1)
    run = np.arange(8)[None] + np.arange(20)[:, None]
    assert (params.beat_cycles(run, np.full((20, 1), NO_ACCESS)) == 1).all()
    assert (params.beat_cycles(np.full((20, 8), 8), np.full((20, 1), NO_ACCESS)) == 8).all()


@settings(max_examples=examples(100), deadline=None)
@given(st.data())
def test_shifted_reads_are_the_map_pixel_by_pixel(data: st.DataObject) -> None:
    params = ShiftReadParams(256, 8)
    h, w, c = (data.draw(st.integers(1, most)) for most in (7, 7, 4))
    feature_map = np.arange(h * w * c).reshape(h, w, c) % 256
    passes = []
    for _ in range(data.draw(st.integers(1, 3))):
        first = data.draw(st.integers(0, c - 1))
        oh, ow, stride = (data.draw(st.integers(1, most)) for most in (7, 7, 3))
        dy, dx = (data.draw(st.integers(-8, 8)) for _ in "yx")
        passes.append((oh, ow, dy, dx, stride, first, data.draw(st.integers(1, c - first)), 77))
    reads = 0
    for (oh, ow, dy, dx, stride, first, channels, zero), got in zip(
        passes, params.golden(feature_map, np.array(passes)), strict=True
    ):
        assert got.shape == (oh, ow, channels)
        for i, j, k in np.ndindex(oh, ow, channels):
            y, x = i * stride + dy, j * stride + dx
            inside = 0 <= y < h and 0 <= x < w
            reads += inside
            assert got[i, j, k] == (feature_map[y, x, first + k] if inside else zero)
    assert params.reads(feature_map, np.array(passes)) == reads
    words = sum(row[0] * row[1] * row[6] for row in passes)
    assert params.cycles(feature_map, np.array(passes)) == h * w * c + words + 2


def test_a_shift_layer_costs_what_a_pointwise_read_costs_and_a_copy_costs_more() -> None:
    """FE-Net: shift by address equals a shifted copy, in the cycles of the unshifted network."""
    params, rng = ShiftReadParams(512, 8), np.random.default_rng(2)
    feature_map = rng.integers(0, 256, (8, 8, 6))
    shifts = rng.integers(-2, 3, (6, 2))
    shifted = np.array([(8, 8, dy, dx, 1, channel, 1, 0) for channel, (dy, dx) in enumerate(shifts)])
    plain = np.array([(8, 8, 0, 0, 1, 0, 6, 0)])
    assert params.cycles(feature_map, shifted) == params.cycles(feature_map, plain)
    copied = np.zeros_like(feature_map)
    for channel, (dy, dx) in enumerate(shifts):
        for y, x in np.ndindex(8, 8):
            if 0 <= y + dy < 8 and 0 <= x + dx < 8:
                copied[y, x, channel] = feature_map[y + dy, x + dx, channel]
    got = np.concatenate(params.golden(feature_map, shifted), axis=2)
    assert (got == copied).all()
    copy_cycles = params.cycles(feature_map, plain) + params.cycles(copied, plain)  # read, written back, read again
    assert copy_cycles > 1.9 * params.cycles(feature_map, shifted)


@pytest.mark.parametrize("params", SHIFTS, ids=lambda params: params.name)
def test_passes_fit_their_fields(params: ShiftReadParams) -> None:
    rng = np.random.default_rng(6)
    bits = 7 * params.coordinate_bits + 4 * params.address_bits + params.bits
    for corner in CORNERS:
        work = stream_work(params, *draw(params, rng, corner))
        assert all(word < 1 << bits for word in work.inputs["s_axis_p"].data)
        assert sum(work.outputs["m_axis_o"].last) == len(work.inputs["s_axis_p"].data)


PAD, MAP = BankedParams(2, 4, 8), ShiftReadParams(16, 8, 4)
PIXEL = np.zeros((1, 1, 1), dtype=np.int64)


def one(**changes: int) -> np.ndarray:
    """Return one pass over a map of one word, with some fields changed."""
    fields = dict(zip(ShiftReadParams.FIELDS, (1, 1, 0, 0, 1, 0, 1, 0), strict=True)) | changes
    return np.array([list(fields.values())])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BankedParams(3, 4, 8), r"banks is 3, bound is a power of two in 1\.\.64"),
        (lambda: BankedParams(128, 4, 8), "banks is 128"),
        (lambda: BankedParams(2, 0, 8), r"bank_words is 0, bound is 1\.\.524288"),
        (lambda: BankedParams(2, 4, 0), "bits is 0"),
        (lambda: BankedParams(2, 4, 8, reads=0), r"reads is 0, bound is 1\.\.16"),
        (lambda: BankedParams(2, 4, 8, writes=17), r"writes is 17, bound is 1\.\.16"),
        (lambda: PAD.golden(np.array([[0, -1]]), np.array([[0]]), np.array([[1]])), "beat 0 reads address 0"),
        (lambda: PAD.golden(np.array([[8, -1]]), np.array([[0]]), np.array([[1]])), r"bound is 0\.\.7"),
        (lambda: PAD.golden(np.array([[-1, -1]]), np.array([[0]]), np.array([[256]])), r"bound is 0\.\.2\*\*8 - 1"),
        (lambda: PAD.cycles(np.array([[-1]]), np.array([[0]]), np.array([[1]])), r"\(beats, 2\)"),
        (lambda: PAD.cycles(np.zeros((0, 2)), np.zeros((0, 1)), np.zeros((0, 1))), "bound is"),
        (lambda: ShiftReadParams(0, 8), r"words is 0, bound is 1\.\."),
        (lambda: ShiftReadParams(8, 63), r"bits is 63, bound is 1\.\.62"),
        (lambda: ShiftReadParams(8, 8, 2), r"coordinate_bits is 2, bound is 3\.\.16"),
        (lambda: MAP.golden(np.zeros((4, 4, 2), dtype=int), one()), "map needs 32 words, bound is 16"),
        (lambda: MAP.golden(np.zeros((8, 1, 1), dtype=int), one()), r"rows is 8, bound is 1\.\.7"),
        (lambda: MAP.golden(PIXEL, one(stride=0)), "stride is 0"),
        (lambda: MAP.golden(PIXEL, one(dx=-9)), r"dx is -9, bound is -8\.\.7"),
        (lambda: MAP.golden(PIXEL, one(out_h=5, stride=2)), r"last row is 8, bound is -8\.\.7"),
        (lambda: MAP.golden(PIXEL, one(channels=2)), r"channels 0\.\.1, bound is 0\.\.0"),
        (lambda: MAP.golden(PIXEL, one(zero=256)), r"zero points span 256\.\.256"),
        (lambda: MAP.golden(PIXEL[0], one()), r"bound is \(rows, columns, channels\)"),
    ],
)
def test_illegal_parameters_are_refused_with_the_bound(make: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


@pytest.mark.parametrize("params", CORES, ids=lambda params: params.name)
def test_same_parameters_same_bytes(params: object) -> None:
    assert emit(params) == emit(params)
