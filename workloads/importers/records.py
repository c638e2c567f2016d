"""A layer as the files of other tools state it: loop sizes, affine tensor accesses and word widths.

This is what the readers of Timeloop, ZigZag and AccelForge problems share. It says nothing of machines.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod

from workloads.errors import InputError
from workloads.loop_nest import Axis, LoopNest, Operand

MAX_DIM_SIZE = 1 << 40


@dataclass(frozen=True, slots=True)
class ForeignTensor:
    """A tensor of a foreign problem.

    Parameters
    ----------
    name : str
        As in the file.
    axes : tuple of Axis
        Index along each axis of the tensor, and its real size (padding excluded).
    bits : int
        Width of an element; of the output: of a finished element.
    partial_bits : int
        Width of a partial sum; equal to `bits` for inputs.
    output : bool
        Whether the problem accumulates into it.
    """

    name: str
    axes: tuple[Axis, ...]
    bits: int | None = None
    partial_bits: int | None = None
    output: bool = False

    @property
    def relevant(self) -> frozenset[str]:
        """Value of the set of dimensions that the tensor depends on."""
        return frozenset(dim for axis in self.axes for _, dim in axis.terms)

    @property
    def elements(self) -> int:
        """Value of the number of real elements."""
        return prod(axis.size for axis in self.axes)


@dataclass(frozen=True, slots=True)
class ForeignProblem:
    """Loops and tensors of one layer of a foreign file.

    Parameters
    ----------
    kind : str
        Operator type where the file names one (``Conv``), which ZigZag's mapping files select by.
    """

    name: str
    dims: tuple[tuple[str, int], ...]
    tensors: tuple[ForeignTensor, ...]
    kind: str = ""

    def __post_init__(self) -> None:
        names = [dim for dim, _ in self.dims]
        for dim, size in self.dims:
            if not 1 <= size <= MAX_DIM_SIZE:
                raise InputError(f"problem '{self.name}': dimension {dim} is {size}, bound is 1..{MAX_DIM_SIZE}")
        outputs = [tensor.name for tensor in self.tensors if tensor.output]
        if len(outputs) != 1 or len(self.tensors) < 2:
            raise InputError(
                f"problem '{self.name}': writes {outputs or 'no tensor'}, reads {len(self.tensors) - len(outputs)}; "
                "supported: one output and one or more inputs"
            )
        for tensor in self.tensors:
            for dim in sorted(tensor.relevant - set(names)):
                raise InputError(
                    f"problem '{self.name}': tensor '{tensor.name}' uses dimension '{dim}', known: {names}"
                )

    @property
    def macs(self) -> int:
        """Value of the size of the iteration space."""
        return prod(size for _, size in self.dims)

    @property
    def output(self) -> ForeignTensor:
        """Value of the tensor that is accumulated into."""
        return next(tensor for tensor in self.tensors if tensor.output)

    @property
    def inputs(self) -> tuple[ForeignTensor, ...]:
        """Value of the tensors read, in the file's order."""
        return tuple(tensor for tensor in self.tensors if not tensor.output)

    def size(self, dim: str) -> int:
        """Return the size of `dim`; 1 if the problem has no such dimension."""
        return dict(self.dims).get(dim, 1)

    def padded(self, sizes: Mapping[str, int]) -> ForeignProblem:
        """Return the problem with larger dimensions, so that an unrolling divides; tensors grow along."""
        dims = tuple((dim, max(size, sizes.get(dim, size))) for dim, size in self.dims)
        more = {dim: grown - size for (dim, grown), (_, size) in zip(dims, self.dims, strict=True)}
        tensors = []
        for tensor in self.tensors:
            axes = (replace(axis, size=axis.size + sum(c * more[dim] for c, dim in axis.terms)) for axis in tensor.axes)
            tensors.append(replace(tensor, axes=tuple(axes)))
        return replace(self, dims=dims, tensors=tuple(tensors))

    def loop_nest(self, roles: dict[str, str] | None = None) -> LoopNest:
        """Return the affine view, with `roles` (tensor name to I, W, O) or, of two inputs, the second as weight."""
        given = roles or {}
        operands = []
        for tensor in self.tensors:
            default = "O" if tensor.output else ("W" if self.inputs.index(tensor) == 1 else "I")
            role = given.get(tensor.name, default)
            operands.append(Operand(role, tensor.name, tensor.axes, accumulated=tensor.output))  # type: ignore[arg-type]
        return LoopNest(self.dims, tuple(operands))
