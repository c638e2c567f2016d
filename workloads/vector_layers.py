"""Layers without a weight matrix: pooling, element-wise, activations, softmax, normalisation, reductions, scaling.

`operations` counts arithmetic per element as stated by each class; an exponential, logarithm, root, `erf` or `tanh`
counts as one operation, as does a comparison. `passes` is how many times the algorithm sweeps its input.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from types import MappingProxyType
from typing import ClassVar

from workloads.errors import InputError
from workloads.layer import ShapedLayer
from workloads.tensor import Shape
from workloads.window import Window, window_output


@dataclass(frozen=True)
class Pool(ShapedLayer):
    """Maximum or average over windows of an ``(N, C, spatial...)`` tensor.

    Operations: (window - 1) comparisons per output, or window - 1 additions and one multiplication.
    """

    OPS: ClassVar[tuple[str, ...]] = ("max_pool", "avg_pool")

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    ceil_mode: bool = False

    @cached_property
    def windows(self) -> tuple[Window, ...]:
        """Value of the window along each spatial axis.

        With `ceil_mode` a last window may hang over the end by more than the padding; a window that would start in the
        trailing padding is dropped, as frameworks do.
        """
        spatial = self.in_shapes[0][2:]
        lengths = {len(self.kernel), len(self.strides), len(self.padding), len(spatial)}
        if len(lengths) != 1:
            raise InputError(
                f"layer '{self.name}' ({self.op}): kernel, strides, padding and input have {sorted(lengths)} spatial "
                "axes; give each the same number"
            )
        made = []
        for size, taps, stride, (before, after) in zip(spatial, self.kernel, self.strides, self.padding, strict=True):
            if min(taps, stride) < 1 or min(before, after) < 0:
                raise InputError(
                    f"layer '{self.name}' ({self.op}): kernel {taps}, stride {stride}, padding ({before}, {after}); "
                    "kernel and stride are >= 1, padding >= 0"
                )
            if self.ceil_mode:
                full = -(-(size + before + after - taps) // stride) + 1
                if (full - 1) * stride >= size + before:
                    full -= 1
                after = max(after, (full - 1) * stride + taps - size - before)
            if size + before + after < taps:
                raise InputError(
                    f"layer '{self.name}' ({self.op}): window {taps} with padding ({before}, {after}) does not fit the "
                    f"input of {size}; reduce the window or enlarge the input"
                )
            made.append(
                Window(size, window_output(size, taps, stride, 1, before, after), taps, stride, 1, before, after)
            )
        return tuple(made)

    @property
    def is_global(self) -> bool:
        """Value telling whether one window covers the whole plane."""
        return self.kernel == self.in_shapes[0][2:] and all(w.size_out == 1 for w in self.windows)

    @property
    def out_shapes(self) -> tuple[Shape, ...]:
        """Value of the output shape."""
        return ((*self.in_shapes[0][:2], *(w.size_out for w in self.windows)),)

    @property
    def operations(self) -> int:
        """Value of the operations."""
        per_output = prod(self.kernel) - (self.op == "max_pool")
        return self.out_elements * per_output

    def read_elements(self, position: int, shape: Shape) -> int:
        """Return the distinct elements that some window needs."""
        return prod(shape[:2]) * prod(w.touched for w in self.windows)


def broadcast_shapes(shapes: Sequence[Shape]) -> Shape | None:
    """Return the common shape under trailing-axis broadcasting, or None.

    Examples
    --------
    >>> broadcast_shapes([(2, 1, 4), (3, 1)]), broadcast_shapes([(2,), (3,)])
    ((2, 3, 4), None)
    """
    rank = max(len(shape) for shape in shapes)
    padded = [(1,) * (rank - len(shape)) + tuple(shape) for shape in shapes]
    result = []
    for sizes in zip(*padded, strict=True):
        wide = {size for size in sizes if size != 1}
        if len(wide) > 1:
            return None
        result.append(wide.pop() if wide else 1)
    return tuple(result)


@dataclass(frozen=True)
class Elementwise(ShapedLayer):
    """An n-ary element-wise operation with broadcasting: n - 1 operations per output element (`where`: one)."""

    OPS: ClassVar[tuple[str, ...]] = ("add", "sub", "mul", "div", "max", "min", "pow", "where", "compare")

    @property
    def out_shapes(self) -> tuple[Shape, ...]:
        """Value of the broadcast shape."""
        shape = broadcast_shapes(self.in_shapes)
        if shape is None:
            raise InputError(
                f"layer '{self.name}' ({self.op}): shapes {list(self.in_shapes)} do not broadcast; "
                "make each axis equal or 1"
            )
        return (shape,)

    @property
    def operations(self) -> int:
        """Value of the operations."""
        return self.out_elements * (1 if self.op == "where" else max(1, len(self.inputs) - 1))


ACTIVATION_OPERATIONS: Mapping[str, int] = MappingProxyType(
    {
        "relu": 1,  # max
        "relu6": 2,  # max, min
        "clip": 2,  # max, min
        "leaky_relu": 2,  # multiply, max
        "prelu": 2,  # multiply, select
        "elu": 4,  # exp, subtract, multiply, select
        "sigmoid": 4,  # negate, exp, add, reciprocal
        "silu": 5,  # sigmoid, multiply
        "hardsigmoid": 4,  # multiply, add, max, min
        "hardswish": 5,  # hard sigmoid, multiply
        "tanh": 1,
        "softplus": 3,  # exp, add, log
        "gelu": 5,  # scale, erf, add, multiply, halve
        "gelu_tanh": 9,  # cube (2), scale, add, scale, tanh, add, multiply, halve
        "erf": 1,
        "exp": 1,
        "log": 1,
        "sqrt": 1,
        "reciprocal": 1,
        "abs": 1,
        "neg": 1,
        "sign": 1,
        "round": 1,
    }
)
"""Arithmetic operations per element of each activation function."""


@dataclass(frozen=True)
class Activation(ShapedLayer):
    """A unary function of each element; operations per element are `ACTIVATION_OPERATIONS`.

    `prelu` has its slopes as second input.
    """

    OPS: ClassVar[tuple[str, ...]] = tuple(ACTIVATION_OPERATIONS)

    @property
    def out_shapes(self) -> tuple[Shape, ...]:
        """Value of the input's shape."""
        return (self.in_shapes[0],)

    @property
    def operations(self) -> int:
        """Value of the operations."""
        return self.in_elements * ACTIVATION_OPERATIONS[self.op]


@dataclass(frozen=True)
class Softmax(ShapedLayer):
    """Softmax along `axis`, in the numerically safe form of three passes: maximum; exponentials and their sum; scaling.

    Operations of a row of n: n - 1 comparisons, n subtractions, n exponentials, n - 1 additions, one reciprocal and n
    multiplications, together 5 n - 1 (the logarithmic form replaces reciprocal and products by a logarithm and sums).
    """

    OPS: ClassVar[tuple[str, ...]] = ("softmax", "log_softmax")

    axis: int

    @property
    def out_shapes(self) -> tuple[Shape, ...]:
        """Value of the input's shape."""
        if not 0 <= self.axis < len(self.in_shapes[0]):
            raise self.axis_error(self.axis)
        return (self.in_shapes[0],)

    @property
    def operations(self) -> int:
        """Value of the operations."""
        return 5 * self.in_elements - self.in_elements // self.in_shapes[0][self.axis]

    @property
    def passes(self) -> int:
        """Value 3."""
        return 3


@dataclass(frozen=True)
class Reduce(ShapedLayer):
    """A reduction over `axes`: (n - 1) operations per output of n inputs, one more for a mean."""

    OPS: ClassVar[tuple[str, ...]] = (
        "reduce_sum",
        "reduce_mean",
        "reduce_max",
        "reduce_min",
        "reduce_prod",
        "reduce_l2",
        "argmax",
        "argmin",
    )

    axes: tuple[int, ...]
    keepdims: bool = False

    @property
    def out_shapes(self) -> tuple[Shape, ...]:
        """Value of the shape with `axes` removed, or set to one."""
        shape = self.in_shapes[0]
        for axis in self.axes:
            if not 0 <= axis < len(shape):
                raise self.axis_error(axis)
        if self.keepdims:
            return (tuple(1 if i in self.axes else size for i, size in enumerate(shape)),)
        return (tuple(size for i, size in enumerate(shape) if i not in self.axes),)

    @property
    def operations(self) -> int:
        """Value of the operations (`reduce_l2`: a square per input and a root per output more)."""
        extra = {"reduce_mean": self.out_elements, "reduce_l2": self.in_elements + self.out_elements}
        return self.in_elements - self.out_elements + extra.get(self.op, 0)


@dataclass(frozen=True)
class Quantize(ShapedLayer):
    """A change of number format; the formats are those of the tensors.

    Operations per element: ``quantize`` and ``requantize`` 5 (multiply, round, add the zero point, max, min),
    ``dequantize`` 2 (subtract the zero point, multiply), ``cast`` 1. Further inputs are scales and zero points.
    """

    OPS: ClassVar[tuple[str, ...]] = ("quantize", "requantize", "dequantize", "cast")

    @property
    def out_shapes(self) -> tuple[Shape, ...]:
        """Value of the input's shape."""
        return (self.in_shapes[0],)

    @property
    def operations(self) -> int:
        """Value of the operations."""
        return self.in_elements * {"dequantize": 2, "cast": 1}.get(self.op, 5)


@dataclass(frozen=True)
class Resize(ShapedLayer):
    """Interpolation to `out_shape`.

    Operations per output: nearest 0; linear and cubic weigh ``t = 2**k`` or ``4**k`` inputs where k axes change size:
    t multiplications and t - 1 additions.
    """

    OPS: ClassVar[tuple[str, ...]] = ("resize_nearest", "resize_linear", "resize_cubic")

    out_shape: Shape

    @property
    def out_shapes(self) -> tuple[Shape, ...]:
        """Value of the output shape."""
        if len(self.out_shape) != len(self.in_shapes[0]):
            raise InputError(
                f"layer '{self.name}' ({self.op}): output has {len(self.out_shape)} axes, input "
                f"{len(self.in_shapes[0])}; give the same number"
            )
        return (self.out_shape,)

    @property
    def operations(self) -> int:
        """Value of the operations."""
        changed = sum(a != b for a, b in zip(self.in_shapes[0], self.out_shape, strict=True))
        taps = {"resize_nearest": 1, "resize_linear": 2, "resize_cubic": 4}[self.op] ** changed
        return self.out_elements * (2 * taps - 1) if taps > 1 else 0
