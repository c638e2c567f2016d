"""The one loop-nest layer: every convolution and every matrix product (§3.3).

The loops are G groups, N batch, K output channels and C input channels per group, OD OY OX output, FD FY FX filter.

* A convolution of spatial rank 1, 2 or 3 uses the last 1, 2 or 3 of (D, Y, X); the others have size 1.
* A matrix product has rank 0: ``M x C x K`` with the rows M on **OX** (tiling rows is then a spatial tile), the
  reduction on C and the output columns on K; a batched product puts the product of the leading axes (batch,
  heads) on **G**.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import ClassVar, Literal

from workloads.errors import InputError
from workloads.layer import Layer
from workloads.loop_dims import LOOP_DIMS, LoopDims, Triple
from workloads.loop_nest import Axis, LoopNest, Operand
from workloads.tensor import Shape
from workloads.window import Window

__all__ = ["LOOP_DIMS", "NO_PADDING", "LoopDims", "MacLayer", "Padding", "Triple"]

Padding = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
NO_PADDING: Padding = ((0, 0), (0, 0), (0, 0))
_SPATIAL = {"OD": 0, "OY": 1, "OX": 2, "D": 0, "Y": 1, "X": 2}


@dataclass(frozen=True)
class MacLayer(Layer):
    """A convolution, transposed convolution, GEMM or batched GEMM as one loop nest.

    `inputs` are the input, the weight (which may be an activation, as in attention), then the bias if `has_bias`, then
    the per-channel scale if `has_scale`. A folded batch normalisation is the pair (scale, bias) of one value per output
    channel each, applied to the finished accumulator; running statistics are not parameters.

    Parameters
    ----------
    dims : LoopDims
        Loop sizes.
    spatial_rank : {0, 1, 2, 3}
        0 for matrix products, else the number of spatial axes of the tensors.
    input_spatial : (int, int, int)
        Real input size along D, Y, X (padding excluded); ``(1, 1, M)`` for a matrix product.
    strides, dilations : (int, int, int)
        Along D, Y, X.
    padding : three (before, after) pairs
        Along D, Y, X; for a transposed layer the crop of the output (`workloads.window`).
    transposed : bool
        Transposed convolution: `dims` holds the real output size.
    has_bias, has_scale : bool
        Whether `inputs` holds a bias and a scale, shape ``(G * K,)`` each.
    weight_is_activation : bool
        The second operand is made at run time.
    weight_layout : {"kc", "ck"}
        Axis order of the second operand of a matrix product; convolutions are always ``kc``: weights
        ``(G*K, C, [FD, [FY,]] FX)``, or ``(G*C, K, ...)`` when transposed, as frameworks store them.
    """

    OPS: ClassVar[tuple[str, ...]] = ("conv", "conv_transpose", "gemm", "matmul")

    dims: LoopDims
    spatial_rank: int
    input_spatial: Triple
    strides: Triple = (1, 1, 1)
    dilations: Triple = (1, 1, 1)
    padding: Padding = NO_PADDING
    transposed: bool = False
    has_bias: bool = False
    has_scale: bool = False
    weight_is_activation: bool = False
    weight_layout: Literal["kc", "ck"] = "kc"

    def __post_init__(self) -> None:
        super().__post_init__()
        expected = 2 + self.has_bias + self.has_scale
        if len(self.inputs) != expected or len(self.outputs) != 1:
            raise InputError(
                f"layer '{self.name}': {len(self.inputs)} inputs and {len(self.outputs)} outputs, bound is {expected} "
                "and 1 (input, weight, bias, scale); correct the lists"
            )
        if self.spatial_rank not in (0, 1, 2, 3):
            raise InputError(f"layer '{self.name}': spatial_rank is {self.spatial_rank}, bound is 0..3; correct it")
        if self.transposed != (self.op == "conv_transpose"):
            raise InputError(
                f"layer '{self.name}': op is '{self.op}' and transposed is {self.transposed}; "
                "use op 'conv_transpose' exactly for transposed layers"
            )
        if (self.spatial_rank == 0) != (self.op in ("gemm", "matmul")):
            raise InputError(
                f"layer '{self.name}': op is '{self.op}' with spatial_rank {self.spatial_rank}; "
                "matrix products have rank 0, convolutions 1..3"
            )
        self._check_axes()

    def _check_axes(self) -> None:
        """Check every spatial axis; a window of the wrong size is reported under this layer's name."""
        for axis, letter in enumerate("DYX"):
            try:
                window = self._make_window(axis)
            except InputError as error:
                raise InputError(f"layer '{self.name}' axis {letter}: {error}") from None
            unused = axis < 3 - self.spatial_rank and not (self.spatial_rank == 0 and axis == 2)
            if unused and window != Window(1, 1, transposed=self.transposed):
                raise InputError(
                    f"layer '{self.name}': axis {letter} is used with spatial_rank {self.spatial_rank}; set it to 1"
                )
        if self.spatial_rank == 0:
            plain = self.windows[2] == Window(self.dims.OX, self.dims.OX)
            if not plain or self.dims.N != 1:
                raise InputError(
                    f"layer '{self.name}': a matrix product has N = 1, a 1x1 filter, no stride and no padding; "
                    "put rows on OX, batches on G"
                )
        elif self.weight_layout != "kc":
            raise InputError(f"layer '{self.name}': weight_layout 'ck' is for matrix products; use 'kc'")

    # --- operands ---------------------------------------------------------------------------------------------------

    @property
    def input_tensor(self) -> str:
        """Value of the name of the input."""
        return self.inputs[0]

    @property
    def weight_tensor(self) -> str:
        """Value of the name of the second operand."""
        return self.inputs[1]

    @property
    def bias_tensor(self) -> str | None:
        """Value of the name of the bias, if any."""
        return self.inputs[2] if self.has_bias else None

    @property
    def scale_tensor(self) -> str | None:
        """Value of the name of the per-channel scale of a folded normalisation, if any."""
        return self.inputs[2 + self.has_bias] if self.has_scale else None

    @property
    def output_tensor(self) -> str:
        """Value of the name of the output."""
        return self.outputs[0]

    @property
    def out_channels(self) -> int:
        """Value of the output channels of all groups."""
        return self.dims.G * self.dims.K

    @property
    def in_channels(self) -> int:
        """Value of the input channels of all groups."""
        return self.dims.G * self.dims.C

    @property
    def is_depthwise(self) -> bool:
        """Value telling whether each group has one input channel and there are several groups (no reduction over C)."""
        return self.spatial_rank > 0 and self.dims.G > 1 and self.dims.C == 1

    @property
    def _channel_terms(self) -> int:
        """Value of the entries of bias and scale: per column, shared by the batches of a batched product."""
        return self.dims.K if self.spatial_rank == 0 else self.out_channels

    # --- counts -----------------------------------------------------------------------------------------------------

    @property
    def macs(self) -> int:
        """Value of the MAC count: the product of the loops, products with padding included, as the field counts.

        A transposed convolution is counted in scatter form: every input element meets every tap, cropped products
        included: ``G * N * K * C * input size * filter size``.
        """
        if self.transposed:
            d = self.dims
            return d.G * d.N * d.K * d.C * prod(self.input_spatial) * prod(d.filter)
        return self.dims.product

    @property
    def effective_macs(self) -> int:
        """Value of the MACs that meet a real input and a real output: padding and cropping excluded."""
        d = self.dims
        return d.G * d.N * d.K * d.C * prod(window.pairs for window in self.windows)

    @property
    def operations(self) -> int:
        """Value of the operations: two per MAC, one per output for a bias and one for a scale."""
        d = self.dims
        outputs = d.G * d.N * d.K * prod(d.out_spatial)
        return 2 * self.macs + outputs * (self.has_bias + self.has_scale)

    # --- windows ----------------------------------------------------------------------------------------------------

    @cached_property
    def windows(self) -> tuple[Window, Window, Window]:
        """Value of the sliding windows along D, Y, X."""
        return self._make_window(0), self._make_window(1), self._make_window(2)

    def _make_window(self, axis: int) -> Window:
        return Window(
            self.input_spatial[axis],
            self.dims.out_spatial[axis],
            self.dims.filter[axis],
            self.strides[axis],
            self.dilations[axis],
            *self.padding[axis],
            self.transposed,
        )

    def _window(self, dim: str) -> Window:
        if dim not in _SPATIAL:
            raise InputError(f"layer '{self.name}': '{dim}' is not a spatial dimension; use one of OD, OY, OX")
        return self.windows[_SPATIAL[dim]]

    def input_extent(self, dim: str, out_tile: int) -> int:
        """Return the inputs along `dim` (``OD``, ``OY``, ``OX``) spanned by `out_tile` outputs, not clipped at borders.

        ``(out_tile - 1) * stride + (F - 1) * dilation + 1``: the halo rule.
        """
        return self._window(dim).extent(out_tile)

    def input_window(self, dim: str, out_start: int, out_tile: int) -> tuple[int, int]:
        """Return (start, stop) of the real inputs along `dim` that the outputs need; padding is not fetched."""
        return self._window(dim).span(out_start, out_tile)

    def footprint_elements(self, role: str, tile: Mapping[str, int]) -> int:
        """Return the elements of one operand that a tile of the loops touches, halo included.

        Parameters
        ----------
        role : {"I", "W", "O"}
            Input, weight or output.
        tile : mapping of str to int
            Tile size of loop dimensions; **a dimension left out is held whole**.

        Notes
        -----
        The input is the halo extent per axis, never more than the real input: exact for a tile away from the
        borders, an upper bound at them (`input_window` gives the exact span of a given tile).
        """
        unknown = sorted(set(tile) - set(LOOP_DIMS))
        if unknown:
            raise InputError(f"layer '{self.name}': tile names '{unknown[0]}'; use {', '.join(LOOP_DIMS)}")
        size = self.dims.as_dict()
        for dim, value in tile.items():
            if not 1 <= value <= size[dim]:
                raise InputError(f"layer '{self.name}': tile of {dim} is {value}, bound is 1..{size[dim]}; correct it")
            size[dim] = value
        if role == "W":
            return prod(size[dim] for dim in ("G", "K", "C", "FD", "FY", "FX"))
        if role == "O":
            return prod(size[dim] for dim in ("G", "N", "K", "OD", "OY", "OX"))
        if role != "I":
            raise InputError(f"layer '{self.name}': role is '{role}', bound is I, W or O; correct it")
        spatial = 1
        for axis, (out, taps) in enumerate((("OD", "FD"), ("OY", "FY"), ("OX", "FX"))):
            window = self.windows[axis]
            reach = (size[taps] - 1) * window.dilation
            if window.transposed:
                extent = (size[out] - 1 + reach) // window.stride + 1
            else:
                extent = (size[out] - 1) * window.stride + reach + 1
            spatial *= min(extent, window.size_in)
        return size["G"] * size["N"] * size["C"] * spatial

    def read_elements(self, position: int, shape: Shape) -> int:
        """Return the distinct elements read: of the input only those that some output needs."""
        if position == 0:
            return self.dims.G * self.dims.N * self.dims.C * prod(window.touched for window in self.windows)
        return super().read_elements(position, shape)

    # --- shapes -----------------------------------------------------------------------------------------------------

    def infer_shapes(self, shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        """Return the output shape; see `Layer.infer_shapes`."""
        d = self.dims
        for position in range(2, len(shapes)):
            if tuple(shapes[position]) != (self._channel_terms,):
                raise self.refuse_shapes(shapes, f"bias and scale of shape ({self._channel_terms},)")
        if self.spatial_rank == 0:
            return (self._matrix_shape(shapes),)
        skip = 3 - self.spatial_rank
        data = (d.N, self.in_channels, *self.input_spatial[skip:])
        weight = (
            (self.in_channels, d.K, *d.filter[skip:]) if self.transposed else (self.out_channels, d.C, *d.filter[skip:])
        )
        if tuple(shapes[0]) != data or tuple(shapes[1]) != weight:
            raise self.refuse_shapes(shapes, f"input {data} and weight {weight}")
        return ((d.N, self.out_channels, *d.out_spatial[skip:]),)

    def _matrix_shape(self, shapes: Sequence[Shape]) -> Shape:
        """Return the output shape of a matrix product: the input's leading axes, last axis K."""
        d = self.dims
        data, weight = tuple(shapes[0]), tuple(shapes[1])
        matrix = (d.K, d.C) if self.weight_layout == "kc" else (d.C, d.K)
        # one group: all leading axes are rows; several: the last leading axis is rows, the others are groups
        rows, groups = (prod(data[:-1]), 1) if d.G == 1 else (data[-2] if len(data) > 1 else 0, prod(data[:-2]))
        fits = len(data) >= 1 and data[-1] == d.C and rows == d.OX and groups == d.G
        if not fits or weight[-2:] != matrix or prod(weight[:-2]) != d.G:
            raise self.refuse_shapes(shapes, f"{d.G} x ({d.OX} rows of {d.C}) and {d.G} x {matrix}")
        return (*data[:-1], d.K)

    # --- views ------------------------------------------------------------------------------------------------------

    def loop_nest(self) -> LoopNest:
        """Return the affine view; a transposed convolution has none (its phases have).

        Operand axes: input (N, G*C, D, Y, X), weight (G*K, C, FD, FY, FX), output (N, G*K, OD, OY, OX).
        """
        if self.transposed:
            raise InputError(
                f"layer '{self.name}': a transposed convolution is not affine in its output; use the layers of phases()"
            )
        d = self.dims
        plane = [
            Axis(((w.stride, f"O{x}"), (w.dilation, f"F{x}")), w.size_in, -w.pad_before)
            for x, w in zip("DYX", self.windows, strict=True)
        ]
        batch = Axis(((1, "N"),), d.N)
        channels_in = Axis(((d.C, "G"), (1, "C")), self.in_channels)
        channels_out = Axis(((d.K, "G"), (1, "K")), self.out_channels)
        taps = tuple(Axis(((1, f"F{x}"),), size) for x, size in zip("DYX", d.filter, strict=True))
        out = tuple(Axis(((1, f"O{x}"),), size) for x, size in zip("DYX", d.out_spatial, strict=True))
        return LoopNest(
            tuple(d.as_dict().items()),
            (
                Operand("I", self.input_tensor, (batch, channels_in, *plane)),
                Operand("W", self.weight_tensor, (channels_out, Axis(((1, "C"),), d.C), *taps)),
                Operand("O", self.output_tensor, (batch, channels_out, *out), accumulated=True),
            ),
        )

    def phases(self) -> tuple[MacLayer, ...]:
        """Return the ordinary convolutions that make a transposed one; see `workloads.transposed.phase_plan`."""
        from workloads.transposed import phase_plan  # that module builds MacLayers

        return tuple(phase.layer for phase in phase_plan(self))
