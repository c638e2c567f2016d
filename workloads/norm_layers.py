"""Normalisation layers and rotary positions."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

from workloads.errors import InputError
from workloads.layer import ShapedLayer
from workloads.tensor import Shape


@dataclass(frozen=True)
class Norm(ShapedLayer):
    """Layer, RMS, group, instance or (inference-time) batch normalisation.

    Inputs are the data, then a scale if `has_scale`, then a bias if `has_bias`.

    * ``layer_norm``, ``rms_norm`` normalise the axes ``axis ..``; scale and bias have the shape of these axes.
    * ``group_norm`` normalises `groups` groups of the channels (axis 1) with all spatial axes; ``instance_norm`` each
      channel alone; scale and bias are ``(C,)``.
    * ``batch_norm`` has constant statistics, folded into one scale and one bias per channel: a single pass.

    Operations of a set of n elements: mean n, variance 3 n (subtract, square, add), inverse root 3, scaling n; the mean
    is absent for RMS (2 n, 3, n); one per element each for scale and bias. `passes` are those of the textbook form:
    mean, variance, scaling; RMS: squares, scaling. `min_passes` keeps running sums of x and x**2 and saves one.
    """

    OPS: ClassVar[tuple[str, ...]] = ("layer_norm", "rms_norm", "group_norm", "instance_norm", "batch_norm")

    axis: int = 1
    groups: int = 1
    has_scale: bool = True
    has_bias: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        shape = self.in_shapes[0]
        if not 0 < self.axis < len(shape):
            raise InputError(
                f"layer '{self.name}' ({self.op}): axis is {self.axis}, bound is 1..{len(shape) - 1}; correct it"
            )
        if self.groups < 1 or shape[1] % self.groups:
            raise InputError(
                f"layer '{self.name}' ({self.op}): {shape[1]} channels in {self.groups} groups; use a divisor"
            )
        affine = (self.affine_shape,) * (self.has_scale + self.has_bias)
        if self.in_shapes[1:] != affine:
            raise InputError(
                f"layer '{self.name}' ({self.op}): scale and bias have shapes {list(self.in_shapes[1:])}, expected "
                f"{list(affine)}; correct them"
            )

    @property
    def affine_shape(self) -> Shape:
        """Value of the shape of scale and bias."""
        shape = self.in_shapes[0]
        return shape[self.axis :] if self.op in ("layer_norm", "rms_norm") else (shape[1],)

    @property
    def out_shapes(self) -> tuple[Shape, ...]:
        """Value of the input's shape."""
        return (self.in_shapes[0],)

    @property
    def sets(self) -> int:
        """Value of the number of sets that are normalised independently (0: constant statistics)."""
        shape = self.in_shapes[0]
        return {
            "layer_norm": prod(shape[: self.axis]),
            "rms_norm": prod(shape[: self.axis]),
            "group_norm": shape[0] * self.groups,
            "instance_norm": shape[0] * shape[1],
            "batch_norm": 0,
        }[self.op]

    @property
    def operations(self) -> int:
        """Value of the operations."""
        affine = self.in_elements * (self.has_scale + self.has_bias)
        if self.op == "batch_norm":
            return affine
        return affine + self.in_elements * (3 if self.op == "rms_norm" else 5) + 3 * self.sets

    @property
    def passes(self) -> int:
        """Value of the sweeps of the textbook form."""
        return {"rms_norm": 2, "batch_norm": 1}.get(self.op, 3)

    @property
    def min_passes(self) -> int:
        """Value of the sweeps when sum and sum of squares are kept together."""
        return min(self.passes, 2)


@dataclass(frozen=True)
class Lrn(ShapedLayer):
    """Local response normalisation across `size` neighbouring channels.

    Operations per element: a square, size - 1 additions, scale, offset, power and division: size + 4.
    """

    OPS: ClassVar[tuple[str, ...]] = ("lrn",)

    size: int

    @property
    def out_shapes(self) -> tuple[Shape, ...]:
        """Value of the input's shape."""
        if self.size < 1:
            raise InputError(f"layer '{self.name}' (lrn): size is {self.size}, bound is >= 1; correct it")
        return (self.in_shapes[0],)

    @property
    def operations(self) -> int:
        """Value of the operations."""
        return self.in_elements * (self.size + 4)


@dataclass(frozen=True)
class Rotary(ShapedLayer):
    """Rotary position embedding: inputs are (..., sequence, d) data and tables of cosines and sines, (sequence, d).

    A pair (a, b) becomes (a cos - b sin, b cos + a sin): three operations per element.
    """

    OPS: ClassVar[tuple[str, ...]] = ("rotary",)

    @property
    def out_shapes(self) -> tuple[Shape, ...]:
        """Value of the input's shape."""
        shape = self.in_shapes[0]
        if (
            len(self.in_shapes) != 3
            or len(shape) < 2
            or shape[-1] % 2
            or any(t != shape[-2:] for t in self.in_shapes[1:])
        ):
            raise InputError(
                f"layer '{self.name}' (rotary): inputs have shapes {list(self.in_shapes)}, expected (..., sequence, d) "
                "with even d and two tables (sequence, d); correct them"
            )
        return (shape,)

    @property
    def operations(self) -> int:
        """Value of the operations."""
        return 3 * self.in_elements
