"""Builder methods for convolutions and matrix products."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Literal

from workloads.builder_core import BuilderCore
from workloads.errors import InputError
from workloads.formats import Format
from workloads.mac_layers import LoopDims, MacLayer, Padding, Triple
from workloads.window import window_output

Sizes = int | Sequence[int]
Pads = int | Sequence[int | tuple[int, int]] | Literal["same"]


class MacBuilder(BuilderCore):
    """Convolutions and matrix products."""

    def conv(
        self,
        x: str,
        out_channels: int,
        kernel: Sizes,
        *,
        stride: Sizes = 1,
        padding: Pads = 0,
        dilation: Sizes = 1,
        groups: int = 1,
        bias: bool = True,
        bn: bool = False,
        transposed: bool = False,
        out_format: Format | None = None,
        name: str | None = None,
    ) -> str:
        """Add a convolution of the rank of `x`, shape ``(N, C, spatial...)``.

        Parameters
        ----------
        padding : int, sizes, (before, after) pairs or "same"
            ``same`` puts the odd element behind and is for ordinary convolutions; transposed ones crop the output.
        bn : bool
            Fold a batch normalisation: per-channel scale and bias.
        """
        shape = self.shape(x)
        rank = len(shape) - 2
        label = self.full_name(name, "conv")
        if rank not in (1, 2, 3):
            raise InputError(
                f"layer '{label}': input has shape {shape}, a convolution needs 3, 4 or 5 axes; reshape it"
            )
        if groups < 1 or shape[1] % groups or out_channels % groups:
            raise InputError(
                f"layer '{label}': {shape[1]} input and {out_channels} output channels in {groups} groups; "
                "use a common divisor"
            )
        size, taps = spatial_triple((1,) * (3 - rank) + shape[2:], 3, 1), spatial_triple(kernel, rank, 1)
        steps, spread = spatial_triple(stride, rank, 1), spatial_triple(dilation, rank, 1)
        pads = spatial_same(size, taps, steps, spread) if padding == "same" else spatial_pads(padding, rank)
        out = [window_output(size[i], taps[i], steps[i], spread[i], *pads[i], transposed) for i in range(3)]
        if min(out) < 1:
            raise InputError(
                f"layer '{label}': filter {taps} with padding {pads} does not fit the input {size}; reduce it or "
                "pad more"
            )
        dims = LoopDims(groups, shape[0], out_channels // groups, shape[1] // groups, out[0], out[1], out[2], *taps)
        stored = (shape[1], dims.K) if transposed else (out_channels, dims.C)
        inputs = [x, self.tensor(f"{label}.weight", (*stored, *taps[3 - rank :]), self.weight, "weight")]
        inputs += self._affine(label, out_channels, bias or bn, bn)
        layer = MacLayer(
            label,
            "conv_transpose" if transposed else "conv",
            tuple(inputs),
            (f"{label}.out",),
            dims,
            rank,
            size,
            steps,
            spread,
            pads,
            transposed,
            bias or bn,
            bn,
        )
        return self.add_layer(layer, [out_format or self.activation])[0]

    def conv_transpose(
        self,
        x: str,
        out_channels: int,
        kernel: Sizes,
        *,
        stride: Sizes = 1,
        padding: Sizes = 0,
        output_padding: Sizes = 0,
        dilation: Sizes = 1,
        groups: int = 1,
        bias: bool = True,
        bn: bool = False,
        name: str | None = None,
    ) -> str:
        """Add a transposed convolution; `padding` crops both ends of the output, `output_padding` adds behind."""
        rank = len(self.shape(x)) - 2
        crop, extra = spatial_triple(padding, rank, 0), spatial_triple(output_padding, rank, 0)
        pads = [(c, c - e) for c, e in zip(crop, extra, strict=True)][3 - rank :]
        return self.conv(
            x,
            out_channels,
            kernel,
            stride=stride,
            padding=pads,
            dilation=dilation,
            groups=groups,
            bias=bias,
            bn=bn,
            transposed=True,
            name=name or self.local_name("conv_transpose"),
        )

    def linear(
        self,
        x: str,
        out_features: int,
        *,
        bias: bool = True,
        bn: bool = False,
        weight: str | None = None,
        out_format: Format | None = None,
        name: str | None = None,
    ) -> str:
        """Add a matrix product with a weight ``(out_features, in_features)`` over the last axis of `x`.

        `weight` names an existing tensor to share (tied embeddings).
        """
        shape = self.shape(x)
        label = self.full_name(name, "linear")
        rows, columns = prod(shape[:-1]), shape[-1]
        tied = weight or self.tensor(f"{label}.weight", (out_features, columns), self.weight, "weight")
        layer = MacLayer(
            label,
            "gemm",
            (x, tied, *self._affine(label, out_features, bias or bn, bn)),
            (f"{label}.out",),
            LoopDims(OX=rows, C=columns, K=out_features),
            0,
            (1, 1, rows),
            has_bias=bias or bn,
            has_scale=bn,
            weight_is_activation=self._tensors[tied].kind != "weight" if tied in self._tensors else False,
        )
        return self.add_layer(layer, [out_format or self.activation])[0]

    def matmul(
        self, a: str, b: str, *, transpose_b: bool = False, out_format: Format | None = None, name: str | None = None
    ) -> str:
        """Add the product of ``(..., M, C)`` and ``(..., C, K)`` (``(..., K, C)`` with `transpose_b`).

        The leading axes of both are equal, and become groups; or `b` has none, and they join the rows.
        """
        left, right = self.shape(a), self.shape(b)
        label = self.full_name(name, "matmul")
        if len(right) < 2 or (len(right) > 2 and right[:-2] != left[:-2]):
            raise InputError(
                f"layer '{label}': leading axes of {left} and {right} differ; make them equal or give the second none"
            )
        groups = prod(right[:-2])
        rows = left[-2] if groups > 1 else prod(left[:-1])
        columns, reduction = (right[-2], right[-1]) if transpose_b else (right[-1], right[-2])
        layer = MacLayer(
            label,
            "matmul",
            (a, b),
            (f"{label}.out",),
            LoopDims(G=groups, OX=rows, C=reduction, K=columns),
            0,
            (1, 1, rows),
            weight_is_activation=self._tensors[b].kind != "weight",
            weight_layout="kc" if transpose_b else "ck",
        )
        return self.add_layer(layer, [out_format or self.activation])[0]

    def _affine(self, label: str, channels: int, bias: bool, scale: bool) -> list[str]:
        """Add bias and scale of a layer as asked, and return their names."""
        made = []
        if bias:
            made.append(self.tensor(f"{label}.bias", (channels,), self.bias, "weight"))
        if scale:
            made.append(self.tensor(f"{label}.scale", (channels,), self.bias, "weight"))
        return made


def spatial_triple(value: Sizes, rank: int, fill: int) -> Triple:
    """Return `value` for D, Y, X: the unused leading axes get `fill`."""
    sizes = (value,) * rank if isinstance(value, int) else tuple(value)
    if len(sizes) != rank:
        raise InputError(f"sizes {value}: {len(sizes)} given for {rank} spatial axes; give one or {rank}")
    full = (fill,) * (3 - rank) + sizes
    return full[0], full[1], full[2]


def spatial_pads(value: int | Sequence[int | tuple[int, int]], rank: int) -> Padding:
    """Return padding as (before, after) for each of `rank` spatial axes; `value` may be one number or one per axis."""
    pairs = [(value, value)] * rank if isinstance(value, int) else [(v, v) if isinstance(v, int) else v for v in value]
    if len(pairs) != rank:
        raise InputError(f"padding {value}: {len(pairs)} given for {rank} spatial axes; give one or {rank}")
    full = [(0, 0)] * (3 - rank) + pairs
    return full[0], full[1], full[2]


def spatial_same(size: Triple, taps: Triple, steps: Triple, spread: Triple) -> Padding:
    """Return the padding that makes ``ceil(size / stride)`` outputs, the odd element behind."""
    pads = []
    for n, f, s, d in zip(size, taps, steps, spread, strict=True):
        total = max((-(-n // s) - 1) * s + (f - 1) * d + 1 - n, 0)
        pads.append((total // 2, total - total // 2))
    return pads[0], pads[1], pads[2]
