"""A transposed convolution equals its phases: values by direct scatter, and MAC counts."""

from __future__ import annotations

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.reference.naive_workloads import naive_conv, naive_macs, naive_scatter
from tests.reference.profile import examples
from workloads.mac_layers import LoopDims, MacLayer
from workloads.transposed import phase_plan
from workloads.window import Window, window_output


@st.composite
def transposed_layers(draw: st.DrawFn) -> MacLayer:
    rank = draw(st.integers(1, 2))
    axes = []
    for axis in range(3):
        if axis < 3 - rank:
            axes.append(Window(1, 1, transposed=True))
            continue
        size, taps = draw(st.integers(1, 4)), draw(st.integers(1, 4))
        stride, dilation = draw(st.integers(1, 3)), draw(st.integers(1, 3))
        before, after = draw(st.integers(0, 3)), draw(st.integers(-2, 3))
        out = window_output(size, taps, stride, dilation, before, after, True)
        assume(1 <= out <= 14)
        axes.append(Window(size, out, taps, stride, dilation, before, after, True))
    small = st.integers(1, 2)
    dims = LoopDims(
        draw(small), draw(small), draw(small), draw(small), *(w.size_out for w in axes), *(w.taps for w in axes)
    )
    return MacLayer(
        "up",
        "conv_transpose",
        ("x", "w"),
        ("y",),
        dims,
        rank,
        (axes[0].size_in, axes[1].size_in, axes[2].size_in),
        (axes[0].stride, axes[1].stride, axes[2].stride),
        (axes[0].dilation, axes[1].dilation, axes[2].dilation),
        tuple((w.pad_before, w.pad_after) for w in axes),  # type: ignore[arg-type]
        transposed=True,
    )


@settings(max_examples=examples(60))
@given(transposed_layers(), st.integers(0, 2**16))
def test_phases_compute_what_the_scatter_computes(layer: MacLayer, seed: int) -> None:
    d = layer.dims
    rng = np.random.default_rng(seed)
    x = rng.integers(-8, 8, (d.N, d.G * d.C, *layer.input_spatial))
    w = rng.integers(-8, 8, (d.G * d.C, d.K, *d.filter))
    result = np.zeros((d.N, d.G * d.K, *d.out_spatial), dtype=np.int64)
    # (G*C, K, ...) as stored becomes (G*K, C, ...) as an ordinary convolution wants it
    swapped = w.reshape(d.G, d.C, d.K, *d.filter).swapaxes(1, 2).reshape(d.G * d.K, d.C, *d.filter)
    for phase in phase_plan(layer):
        part = swapped[:, :, list(phase.axes[0].taps)][:, :, :, list(phase.axes[1].taps)]
        part = part[:, :, :, :, list(phase.axes[2].taps)]
        places = tuple(slice(axis.offset, None, axis.step) for axis in phase.axes)
        result[:, :, *places] = naive_conv(phase.layer, x, part)
    np.testing.assert_array_equal(result, naive_scatter(layer, x, w))


@settings(max_examples=examples(60))
@given(transposed_layers())
def test_phase_macs_sum_to_the_products_that_are_kept(layer: MacLayer) -> None:
    kept = int(
        naive_scatter(
            layer,
            np.ones((layer.dims.N, layer.in_channels, *layer.input_spatial), dtype=np.int64),
            np.ones((layer.in_channels, layer.dims.K, *layer.dims.filter), dtype=np.int64),
        ).sum()
    )
    assert layer.effective_macs == kept
    assert sum(phase.effective_macs for phase in layer.phases()) == kept
    assert layer.macs == naive_macs(layer) >= kept


def test_unet_upconvolution_has_four_full_phases() -> None:
    layer = MacLayer(
        "up",
        "conv_transpose",
        ("x", "w"),
        ("y",),
        LoopDims(K=4, C=8, OY=14, OX=14, FY=2, FX=2),
        2,
        (1, 7, 7),
        strides=(1, 2, 2),
        transposed=True,
    )
    phases = layer.phases()
    assert [p.dims.filter for p in phases] == [(1, 1, 1)] * 4
    assert sum(p.macs for p in phases) == layer.macs == layer.effective_macs == 4 * 8 * 49 * 4
