"""Tensors: a name, a logical shape, a number format and what the tensor is to the network.

Shapes are logical, never a layout in memory: images are ``(N, C, spatial...)``, sequences
``(batch, sequence, features)`` or, per head, ``(batch, heads, sequence, head features)``. How a tensor lies in
a memory is a mapping's business (§3.4).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Literal, get_args

from workloads.errors import InputError
from workloads.formats import Format

Shape = tuple[int, ...]
TensorKind = Literal["input", "weight", "activation"]
MAX_ELEMENTS = 1 << 48
"""Bound on the elements of a tensor: far above any real one, so that a hostile shape is refused, not computed with."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor of a network.

    Parameters
    ----------
    name : str
        Unique in its network.
    shape : tuple of int
        Logical shape, see the module docstring; ``()`` is a scalar.
    format : Format
        Storage format of one element.
    kind : {"input", "weight", "activation"}
        ``input`` comes from outside at run time (images, tokens, key/value caches), ``weight`` is constant,
        ``activation`` is made by a layer.

    Examples
    --------
    >>> from workloads.formats import Int
    >>> t = Tensor("codes", (3, 5), Int(4), "weight")
    >>> t.elements, t.bytes
    (15, 8)
    """

    name: str
    shape: Shape
    format: Format
    kind: TensorKind

    def __post_init__(self) -> None:
        if not self.name:
            raise InputError("tensor: the name is empty; give every tensor a name")
        for axis, size in enumerate(self.shape):
            if not isinstance(size, int) or isinstance(size, bool) or size < 1:
                raise InputError(
                    f"tensor '{self.name}': axis {axis} has size {size!r}, bound is >= 1; give a positive integer size"
                )
        if self.elements > MAX_ELEMENTS:
            raise InputError(
                f"tensor '{self.name}': shape {self.shape} has {self.elements} elements, bound is {MAX_ELEMENTS}; "
                "reduce the shape"
            )
        if self.kind not in get_args(TensorKind):
            raise InputError(
                f"tensor '{self.name}': kind is {self.kind!r}, bound is one of {', '.join(get_args(TensorKind))}; "
                "correct it"
            )

    @property
    def elements(self) -> int:
        """Value of the element count."""
        return prod(self.shape)

    @property
    def bits(self) -> int:
        """Value of the payload, in bits, densely packed."""
        return self.elements * self.format.bits

    @property
    def bytes(self) -> int:
        """Value of the payload, in bytes: the bits rounded up once for the whole tensor."""
        return -(-self.bits // 8)
