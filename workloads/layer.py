"""The base of all layers: what a layer reads, what it writes and what it costs as a fact of the algorithm.

No hardware here: `macs`, `operations`, `passes` and compulsory bytes hold on every machine.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar

from workloads.errors import InputError
from workloads.tensor import Shape, Tensor


@dataclass(frozen=True)
class Layer(ABC):
    """A node of a network.

    Parameters
    ----------
    name : str
        Unique in its network.
    op : str
        What it computes, one of the class's `OPS`, for example ``conv`` or ``max_pool``.
    inputs : tuple of str
        Names of the tensors read, in order, weights included.
    outputs : tuple of str
        Names of the tensors written.
    """

    OPS: ClassVar[tuple[str, ...]] = ()

    name: str
    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.name:
            raise InputError("layer: the name is empty; give every layer a name")
        if self.op not in self.OPS:
            raise InputError(
                f"layer '{self.name}': op '{self.op}' is not known to {type(self).__name__}; "
                f"use one of {', '.join(self.OPS)}"
            )
        if not self.outputs or len(set(self.outputs)) != len(self.outputs):
            raise InputError(
                f"layer '{self.name}': outputs are {list(self.outputs)}, bound is one or more distinct names; "
                "correct them"
            )
        if set(self.inputs) & set(self.outputs):
            raise InputError(
                f"layer '{self.name}': tensor '{sorted(set(self.inputs) & set(self.outputs))[0]}' is both read and "
                "written; give the output its own name"
            )

    @property
    def macs(self) -> int:
        """Value of the multiply-accumulate count; 0 for everything that is not a `MacLayer`."""
        return 0

    @property
    @abstractmethod
    def operations(self) -> int:
        """Value of the arithmetic operation count (a MAC is two); 0 for pure data movement."""

    @property
    def passes(self) -> int:
        """Value of the number of sweeps over the input data that the algorithm needs."""
        return 1

    @property
    def is_alias(self) -> bool:
        """Value telling whether the output is the input's bytes under another shape, so that nothing need move."""
        return False

    @abstractmethod
    def infer_shapes(self, shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        """Return the shapes of the outputs, given the shapes of `inputs` in order.

        Raises
        ------
        InputError
            If the input shapes do not fit this layer.
        """

    def read_elements(self, position: int, shape: Shape) -> int:
        """Return how many distinct elements of input `position`, of shape `shape`, must be read at least once."""
        return prod(shape)

    def compulsory_bytes(self, tensors: Mapping[str, Tensor]) -> int:
        """Return the least traffic of the layer alone, in bytes: needed elements read once, outputs written once.

        Parameters
        ----------
        tensors : mapping of str to Tensor
            The network's tensors.
        """
        if self.is_alias:
            return 0
        read_bits: dict[str, int] = {}
        for position, name in enumerate(self.inputs):
            bits = self.read_elements(position, tensors[name].shape) * tensors[name].format.bits
            read_bits[name] = max(bits, read_bits.get(name, 0))
        return sum(-(-bits // 8) for bits in read_bits.values()) + sum(tensors[name].bytes for name in self.outputs)

    def refuse_shapes(self, shapes: Sequence[Shape], expected: str) -> InputError:
        """Return the error that says that `shapes` do not fit."""
        found = ", ".join(f"'{n}' {tuple(s)}" for n, s in zip(self.inputs, shapes, strict=False))
        return InputError(
            f"layer '{self.name}' ({self.op}): inputs are {found}, expected {expected}; correct the shapes"
        )


@dataclass(frozen=True)
class ShapedLayer(Layer):
    """A layer that carries the shapes of its inputs, in order (weights included)."""

    in_shapes: tuple[Shape, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.in_shapes) != len(self.inputs) or not self.inputs:
            raise InputError(
                f"layer '{self.name}': {len(self.in_shapes)} shapes for {len(self.inputs)} inputs; "
                "give one shape per input"
            )
        if len(self.out_shapes) != len(self.outputs):
            raise InputError(
                f"layer '{self.name}': makes {len(self.out_shapes)} outputs, {len(self.outputs)} are named; "
                "correct outputs"
            )
        for shape in self.out_shapes:
            if any(size < 1 for size in shape):
                raise InputError(
                    f"layer '{self.name}' ({self.op}): output shape is {shape}, bound is >= 1 per axis; "
                    "the window or range does not fit the input"
                )

    @property
    @abstractmethod
    def out_shapes(self) -> tuple[Shape, ...]:
        """Value of the shapes of the outputs, in order."""

    @property
    def in_elements(self) -> int:
        """Value of the elements of the first input."""
        return prod(self.in_shapes[0])

    @property
    def out_elements(self) -> int:
        """Value of the elements of all outputs."""
        return sum(prod(shape) for shape in self.out_shapes)

    def infer_shapes(self, shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        """Return `out_shapes` if `shapes` are the layer's own input shapes."""
        if tuple(map(tuple, shapes)) != self.in_shapes:
            raise self.refuse_shapes(shapes, f"shapes {list(self.in_shapes)}")
        return self.out_shapes

    def axis_error(self, axis: int) -> InputError:
        """Return the error for an axis that the first input does not have."""
        return InputError(
            f"layer '{self.name}' ({self.op}): axis is {axis}, bound is 0..{len(self.in_shapes[0]) - 1}; "
            "use an axis the input has"
        )
