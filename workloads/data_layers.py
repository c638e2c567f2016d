"""Layers that compute nothing: data movement with a stated cost.

`moved_bytes` is read plus written when the result is made as a copy; `is_alias` tells where the result is the input's
bytes unchanged. `run_elements` is the length of the contiguous runs that source and destination share when both lie row
major in their logical order: what a DMA engine pays for short bursts follows from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import ClassVar

from workloads.errors import InputError
from workloads.layer import ShapedLayer
from workloads.tensor import Shape, Tensor
from workloads.vector_layers import broadcast_shapes


@dataclass(frozen=True)
class DataLayer(ShapedLayer):
    """Base of the data movement layers."""

    @property
    def operations(self) -> int:
        """Value 0."""
        return 0

    @property
    def run_elements(self) -> int:
        """Value of the contiguous run shared by source and destination, in elements."""
        return min(self.in_elements, min(prod(shape) for shape in self.out_shapes))

    def moved_bytes(self, tensors: Mapping[str, Tensor]) -> int:
        """Return the bytes read plus written by a copy; 0 for an alias."""
        return self.compulsory_bytes(tensors)


@dataclass(frozen=True)
class Concat(DataLayer):
    """Inputs laid one after the other along `axis`."""

    OPS: ClassVar[tuple[str, ...]] = ("concat",)

    axis: int

    @property
    def out_shapes(self) -> tuple[Shape, ...]:
        """Value of the output shape."""
        first = self.in_shapes[0]
        if not 0 <= self.axis < len(first):
            raise self.axis_error(self.axis)
        for shape in self.in_shapes[1:]:
            same = len(shape) == len(first) and all(
                a == b for i, (a, b) in enumerate(zip(shape, first, strict=True)) if i != self.axis
            )
            if not same:
                raise InputError(
                    f"layer '{self.name}' (concat): shapes {list(self.in_shapes)} differ outside axis {self.axis}; "
                    "make the other axes equal"
                )
        total = sum(shape[self.axis] for shape in self.in_shapes)
        return ((*first[: self.axis], total, *first[self.axis + 1 :]),)

    @property
    def run_elements(self) -> int:
        """Value of the shortest input's run."""
        return min(prod(shape[self.axis :]) for shape in self.in_shapes)


@dataclass(frozen=True)
class Split(DataLayer):
    """One input cut along `axis` into parts of `sizes`."""

    OPS: ClassVar[tuple[str, ...]] = ("split",)

    axis: int
    sizes: tuple[int, ...]

    @property
    def out_shapes(self) -> tuple[Shape, ...]:
        """Value of the shapes of the parts."""
        shape = self.in_shapes[0]
        if not 0 <= self.axis < len(shape):
            raise self.axis_error(self.axis)
        if sum(self.sizes) != shape[self.axis]:
            raise InputError(
                f"layer '{self.name}' (split): parts sum to {sum(self.sizes)}, axis {self.axis} has "
                f"{shape[self.axis]}; make them equal"
            )
        return tuple((*shape[: self.axis], size, *shape[self.axis + 1 :]) for size in self.sizes)

    @property
    def run_elements(self) -> int:
        """Value of the shortest part's run."""
        return min(prod(shape[self.axis :]) for shape in self.out_shapes)


@dataclass(frozen=True)
class Slice(DataLayer):
    """Elements ``starts : stops : steps`` of every axis (steps >= 1, stops clipped to the axis by the maker)."""

    OPS: ClassVar[tuple[str, ...]] = ("slice",)

    starts: tuple[int, ...]
    stops: tuple[int, ...]
    steps: tuple[int, ...]

    @property
    def out_shapes(self) -> tuple[Shape, ...]:
        """Value of the output shape."""
        shape = self.in_shapes[0]
        if not len(self.starts) == len(self.stops) == len(self.steps) == len(shape):
            raise InputError(f"layer '{self.name}' (slice): give starts, stops and steps for all {len(shape)} axes")
        out = []
        for size, start, stop, step in zip(shape, self.starts, self.stops, self.steps, strict=True):
            if step < 1 or not 0 <= start < stop <= size:
                raise InputError(
                    f"layer '{self.name}' (slice): range {start}:{stop}:{step} of an axis of {size}; "
                    "use 0 <= start < stop <= size and step >= 1"
                )
            out.append(-(-(stop - start) // step))
        return (tuple(out),)

    @property
    def run_elements(self) -> int:
        """Value of the run: trailing whole axes, times the cut of the axis before them if its step is one."""
        run = 1
        for size, out, step in zip(
            reversed(self.in_shapes[0]), reversed(self.out_shapes[0]), reversed(self.steps), strict=True
        ):
            if step != 1:
                break
            run *= out
            if out != size:
                break
        return run

    def read_elements(self, position: int, shape: Shape) -> int:
        """Return the elements kept."""
        return self.out_elements


@dataclass(frozen=True)
class Reshape(DataLayer):
    """The same elements in the same order under another shape: an alias wherever the layout is dense row major."""

    OPS: ClassVar[tuple[str, ...]] = ("reshape", "flatten", "squeeze", "unsqueeze", "identity")

    out_shape: Shape

    @property
    def out_shapes(self) -> tuple[Shape, ...]:
        """Value of the output shape."""
        if prod(self.out_shape) != self.in_elements:
            raise InputError(
                f"layer '{self.name}' ({self.op}): {self.in_shapes[0]} has {self.in_elements} elements, "
                f"{self.out_shape} has {prod(self.out_shape)}; make them equal"
            )
        return (self.out_shape,)

    @property
    def is_alias(self) -> bool:
        """Value True."""
        return True


@dataclass(frozen=True)
class Transpose(DataLayer):
    """Axis permutation: output axis i is input axis ``perm[i]``."""

    OPS: ClassVar[tuple[str, ...]] = ("transpose",)

    perm: tuple[int, ...]

    @property
    def out_shapes(self) -> tuple[Shape, ...]:
        """Value of the permuted shape."""
        shape = self.in_shapes[0]
        if sorted(self.perm) != list(range(len(shape))):
            raise InputError(
                f"layer '{self.name}' (transpose): perm is {self.perm}, bound is a permutation of 0..{len(shape) - 1}; "
                "correct it"
            )
        return (tuple(shape[axis] for axis in self.perm),)

    @property
    def is_alias(self) -> bool:
        """Value telling whether only axes of size one change place."""
        kept = [axis for axis in self.perm if self.in_shapes[0][axis] > 1]
        return kept == sorted(kept)

    @property
    def run_elements(self) -> int:
        """Value of the run: the product of the trailing axes that stay in place."""
        run = 1
        for place in reversed(range(len(self.perm))):
            if self.perm[place] != place:
                break
            run *= self.in_shapes[0][place]
        return run


@dataclass(frozen=True)
class Pad(DataLayer):
    """Constant border of ``before`` and ``after`` elements per axis."""

    OPS: ClassVar[tuple[str, ...]] = ("pad",)

    before: tuple[int, ...]
    after: tuple[int, ...]

    @property
    def out_shapes(self) -> tuple[Shape, ...]:
        """Value of the padded shape."""
        shape = self.in_shapes[0]
        if not len(self.before) == len(self.after) == len(shape) or min(*self.before, *self.after, 0) < 0:
            raise InputError(
                f"layer '{self.name}' (pad): before {self.before}, after {self.after}; give one size >= 0 for each of "
                f"{len(shape)} axes"
            )
        return (tuple(b + s + a for b, s, a in zip(self.before, shape, self.after, strict=True)),)

    @property
    def run_elements(self) -> int:
        """Value of the run: the innermost axis, widened while nothing is padded."""
        run = 1
        for place in reversed(range(len(self.before))):
            run *= self.in_shapes[0][place]
            if self.before[place] or self.after[place]:
                break
        return run


@dataclass(frozen=True)
class Gather(DataLayer):
    """Rows of a table picked by indices (embedding): inputs are the table and the indices; axis 0 of the table.

    Compulsory reading counts distinct rows as if no index repeats, never more than the table.
    """

    OPS: ClassVar[tuple[str, ...]] = ("gather",)

    @property
    def out_shapes(self) -> tuple[Shape, ...]:
        """Value of the shape: indices, then the row."""
        if len(self.in_shapes) != 2 or not self.in_shapes[0]:
            raise InputError(f"layer '{self.name}' (gather): needs a table and indices; give both")
        return ((*self.in_shapes[1], *self.in_shapes[0][1:]),)

    @property
    def run_elements(self) -> int:
        """Value of the elements of a row."""
        return prod(self.in_shapes[0][1:])

    def read_elements(self, position: int, shape: Shape) -> int:
        """Return the elements of the rows read, or all indices."""
        return min(prod(shape), self.out_elements) if position == 0 else prod(shape)


@dataclass(frozen=True)
class Expand(DataLayer):
    """Broadcast to `out_shape`: a view for a reader that can step by zero, a copy otherwise."""

    OPS: ClassVar[tuple[str, ...]] = ("expand",)

    out_shape: Shape

    @property
    def out_shapes(self) -> tuple[Shape, ...]:
        """Value of the output shape."""
        if broadcast_shapes((self.in_shapes[0], self.out_shape)) != self.out_shape:
            raise InputError(
                f"layer '{self.name}' (expand): {self.in_shapes[0]} does not broadcast to {self.out_shape}; correct it"
            )
        return (self.out_shape,)


@dataclass(frozen=True)
class CacheAppend(DataLayer):
    """New rows written behind the old ones of a cache that stays in place (key/value caches): inputs cache, new rows.

    The output is the cache's memory, longer along `axis`; only the new rows move.
    """

    OPS: ClassVar[tuple[str, ...]] = ("cache_append",)

    axis: int

    @property
    def out_shapes(self) -> tuple[Shape, ...]:
        """Value of the grown cache's shape."""
        if len(self.in_shapes) != 2:
            raise InputError(f"layer '{self.name}' (cache_append): needs the cache and the new rows; give both")
        old, new = self.in_shapes
        if not 0 <= self.axis < len(old):
            raise self.axis_error(self.axis)
        if (*old[: self.axis], *old[self.axis + 1 :]) != (*new[: self.axis], *new[self.axis + 1 :]):
            raise InputError(
                f"layer '{self.name}' (cache_append): shapes {old} and {new} differ outside axis {self.axis}; "
                "correct them"
            )
        return ((*old[: self.axis], old[self.axis] + new[self.axis], *old[self.axis + 1 :]),)

    @property
    def run_elements(self) -> int:
        """Value of the new rows' run."""
        return prod(self.in_shapes[1][self.axis :])

    def compulsory_bytes(self, tensors: Mapping[str, Tensor]) -> int:
        """Return the bytes of the new rows, read and written."""
        return 2 * tensors[self.inputs[1]].bytes
