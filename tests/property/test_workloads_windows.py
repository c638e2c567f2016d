"""Windows, footprints and MACs against enumeration."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.reference.naive_workloads import (
    naive_axis_pairs,
    naive_box,
    naive_macs,
    naive_positions,
    naive_touched,
)
from tests.reference.profile import examples
from workloads.errors import InputError
from workloads.mac_layers import LOOP_DIMS, LoopDims, MacLayer
from workloads.window import Window, window_output


@st.composite
def windows(draw: st.DrawFn, transposed: bool | None = None) -> Window:
    flag = draw(st.booleans()) if transposed is None else transposed
    size, taps = draw(st.integers(1, 9)), draw(st.integers(1, 4))
    stride, dilation = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    before, after = draw(st.integers(-2, 4)), draw(st.integers(-2, 4))
    out = window_output(size, taps, stride, dilation, before, after, flag)
    assume(1 <= out <= 24)
    return Window(size, out, taps, stride, dilation, before, after, flag)


def _pairs(w: Window) -> list[tuple[int, int, int]]:
    return naive_axis_pairs(w.size_in, w.size_out, w.taps, w.stride, w.dilation, w.pad_before, w.transposed)


@given(windows())
def test_window_pairs_and_touched_equal_enumeration(w: Window) -> None:
    triples = _pairs(w)
    assert w.pairs == len(triples)
    assert w.touched == len({i for _, _, i in triples})


@given(windows(), st.data())
def test_window_span_bounds_exactly_the_inputs_needed(w: Window, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, w.size_out - 1))
    tile = data.draw(st.integers(1, w.size_out - start))
    low, high = w.span(start, tile)
    needed = {i for o, _, i in _pairs(w) if start <= o < start + tile}
    assert 0 <= low <= high <= w.size_in
    assert all(low <= i < high for i in needed)
    assert high - low <= w.extent(tile)
    if not w.transposed and needed and w.dilation == 1 and w.taps >= w.stride:
        # without gaps the span has no slack at all
        assert (low, high) == (min(needed), max(needed) + 1)


@given(windows(transposed=False), st.data())
def test_window_extent_is_the_unclipped_span(w: Window, data: st.DataObject) -> None:
    tile = data.draw(st.integers(1, w.size_out))
    reached = [o * w.stride + f * w.dilation for o in range(tile) for f in range(w.taps)]
    assert w.extent(tile) == max(reached) - min(reached) + 1


@given(windows(transposed=True))
def test_transposed_extent_is_reached_by_some_tile(w: Window) -> None:
    for tile in range(1, w.size_out + 1):
        # inputs that may meet outputs [a, a + tile) on an endless input, over all alignments
        widest = 0
        for start in range(w.stride):
            hits = [i for i in range(-40, 60) if start <= i * w.stride < start + tile + w.reach - 1]
            widest = max(widest, len(hits))
        assert w.extent(tile) == widest


@given(windows(transposed=True))
def test_phases_cover_each_pair_once(w: Window) -> None:
    seen = []
    for phase in w.phases():
        p = phase.window
        for j, t, i in naive_axis_pairs(p.size_in, p.size_out, p.taps, 1, p.dilation, p.pad_before, False):
            seen.append((phase.offset + phase.step * j, phase.taps[t], i))
    assert sorted(seen) == sorted(_pairs(w))


@st.composite
def conv_layers(draw: st.DrawFn) -> MacLayer:
    rank = draw(st.integers(1, 3))
    axes = [draw(windows(transposed=False)) if i >= 3 - rank else Window(1, 1) for i in range(3)]
    small = st.integers(1, 2)
    dims = LoopDims(
        draw(small), draw(small), draw(small), draw(small), *(w.size_out for w in axes), *(w.taps for w in axes)
    )
    assume(dims.product <= 4000)
    return MacLayer(
        "layer",
        "conv",
        ("x", "w"),
        ("y",),
        dims,
        rank,
        (axes[0].size_in, axes[1].size_in, axes[2].size_in),
        (axes[0].stride, axes[1].stride, axes[2].stride),
        (axes[0].dilation, axes[1].dilation, axes[2].dilation),
        tuple((w.pad_before, w.pad_after) for w in axes),  # type: ignore[arg-type]
    )


@settings(max_examples=examples(40))
@given(conv_layers())
def test_macs_equal_counted_loops(layer: MacLayer) -> None:
    assert layer.macs == naive_macs(layer)
    assert layer.loop_nest().iterations == layer.macs


@settings(max_examples=examples(25))
@given(conv_layers(), st.data())
def test_footprints_equal_enumerated_indices(layer: MacLayer, data: st.DataObject) -> None:
    tile = {dim: data.draw(st.integers(1, size)) for dim, size in layer.dims.as_dict().items()}
    volume = 1
    for dim in LOOP_DIMS:
        volume *= tile[dim]
    assume(volume <= 300)
    limits = (layer.dims.N, layer.in_channels, *layer.input_spatial)
    for count, ranges in enumerate(naive_positions(layer, tile)):
        if count == 20:
            break
        for role in "WO":
            assert layer.footprint_elements(role, tile) == len(naive_touched(layer, role, ranges))
        box = naive_box(naive_touched(layer, "I", ranges))
        expected = 1
        for side, limit in zip(box, limits, strict=True):
            expected *= min(side, limit)
        # a tile of groups and channels is a box only in whole groups; count its channels directly
        channels = {i[1] for i in naive_touched(layer, "I", ranges)}
        expected = expected // min(box[1], limits[1]) * len(channels)
        assert layer.footprint_elements("I", tile) == expected
        inside = {
            i for i in naive_touched(layer, "I", ranges) if all(0 <= a < b for a, b in zip(i, limits, strict=True))
        }
        assert len(inside) <= layer.footprint_elements("I", tile)


@settings(max_examples=examples(25))
@given(conv_layers(), st.data())
def test_loop_nest_footprint_equals_layer_footprint(layer: MacLayer, data: st.DataObject) -> None:
    tile = {dim: data.draw(st.integers(1, size)) for dim, size in layer.dims.as_dict().items()}
    tile["G"] = data.draw(st.sampled_from([1, layer.dims.G]))
    if tile["G"] > 1:  # several groups are one box only with all their channels
        tile["C"], tile["K"] = layer.dims.C, layer.dims.K
    nest = layer.loop_nest()
    for role in "IWO":
        assert nest.operand(role).footprint_elements(tile) == layer.footprint_elements(role, tile)


@given(conv_layers())
def test_a_dimension_left_out_is_held_whole(layer: MacLayer) -> None:
    for role in "IWO":
        assert layer.footprint_elements(role, {}) == layer.footprint_elements(role, layer.dims.as_dict())


def test_window_refuses_a_wrong_output_size() -> None:
    with pytest.raises(InputError, match=r"^window: output size is 5, input 7, .* give 3; correct one of them$"):
        Window(7, 5, 3, 2)
