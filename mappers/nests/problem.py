"""What the general mapper maps: loop dimensions, and tensors that index them by affine sums.

A problem holds no layer name, so that equal layers are one problem and are solved once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import prod

from workloads.errors import InputError
from workloads.loop_nest import Axis
from workloads.mac_layers import MacLayer
from workloads.nearest import nearest

LARGEST_DIM = 10**9


@dataclass(frozen=True, slots=True)
class ProblemTensor:
    """A tensor as the loops see it.

    Parameters
    ----------
    role : str
        Its name here and in the hierarchy's keep lists: ``I``, ``W``, ``O`` of a layer.
    axes : tuple of Axis
        Affine index per axis (`workloads.loop_nest.Axis`). A tile holds the bounding interval along each axis.
    output : bool
        Summed over the dimensions it does not index. Exactly one tensor of a problem.
    bits, final_bits : int
        Bits of an element; of an output, of a partial sum and of a finished element.
    density : Fraction
        Share of elements that are stored and moved (1 for dense).
    index_bits : Fraction
        Bits of index or bitmap for each stored element, where `density` is below 1.
    """

    role: str
    axes: tuple[Axis, ...]
    output: bool = False
    bits: int = 8
    final_bits: int = 8
    density: Fraction = Fraction(1)
    index_bits: Fraction = Fraction(0)

    def __post_init__(self) -> None:
        subject = f"tensor '{self.role}'"
        if self.bits < 1 or self.final_bits < 1:
            raise InputError(f"{subject}: bits are {self.bits} and {self.final_bits}, bound is >= 1; raise them")
        if not 0 < self.density <= 1 or self.index_bits < 0:
            raise InputError(
                f"{subject}: density {self.density}, index_bits {self.index_bits}; bounds are 0 < density <= 1, "
                "index_bits >= 0; correct them"
            )
        if self.output and self.density != 1:
            raise InputError(f"{subject}: density of an output is {self.density}, bound is 1; leave it out")
        for axis in self.axes:
            if any(coefficient < 1 for coefficient, _ in axis.terms):
                raise InputError(f"{subject}: a coefficient of {axis.terms} is below 1; positive ones are supported")
            if self.output and (len(axis.terms) > 1 or (axis.terms and axis.terms[0][0] != 1)):
                raise InputError(f"{subject}: output axis {axis.terms}; an output is indexed by plain dimensions only")
            if len({dim for _, dim in axis.terms}) != len(axis.terms):
                raise InputError(f"{subject}: axis {axis.terms} names a dimension twice; add the coefficients")

    @property
    def dims(self) -> tuple[str, ...]:
        """Value of the dimensions it depends on, in order of first use."""
        return tuple(dict.fromkeys(dim for axis in self.axes for _, dim in axis.terms))

    def stored_bits(self, final: bool = False) -> Fraction:
        """Return the mean bits of one element as stored and moved: payload and index, zeros left out."""
        bits = self.final_bits if self.output and final else self.bits
        return (bits + (self.index_bits if self.density < 1 else 0)) * self.density


@dataclass(frozen=True)
class NestProblem:
    """One layer as loops.

    Parameters
    ----------
    dims : tuple of (name, size)
        Loop dimensions; those of size 1 are kept but never looped over.
    tensors : tuple of ProblemTensor
        Inputs, then the output.
    fetch_padding : bool
        Whether elements outside an axis (`Axis.size`) are held and moved like real ones.
    """

    dims: tuple[tuple[str, int], ...]
    tensors: tuple[ProblemTensor, ...]
    fetch_padding: bool = False
    sizes: Mapping[str, int] = field(init=False, repr=False, compare=False, hash=False)

    def __post_init__(self) -> None:
        sizes = dict(self.dims)
        object.__setattr__(self, "sizes", sizes)
        if len(sizes) != len(self.dims):
            raise InputError(f"problem: dimensions {[d for d, _ in self.dims]}, bound is distinct names; rename one")
        for dim, size in self.dims:
            if not 1 <= size <= LARGEST_DIM:
                raise InputError(f"problem: dimension {dim} has size {size}, bound is 1..{LARGEST_DIM}; correct it")
        roles = [tensor.role for tensor in self.tensors]
        if len(set(roles)) != len(roles):
            raise InputError(f"problem: tensors {roles}, bound is distinct roles; rename one")
        if sum(tensor.output for tensor in self.tensors) != 1:
            raise InputError(f"problem: {sum(t.output for t in self.tensors)} outputs, bound is exactly one; mark one")
        out = [dim for axis in self.output.axes for _, dim in axis.terms]
        if len(set(out)) != len(out):
            raise InputError(f"problem: output indexed by {out}, bound is each dimension once; correct it")
        used: set[str] = set()
        for tensor in self.tensors:
            for dim in tensor.dims:
                if dim not in sizes:
                    raise InputError(
                        f"tensor '{tensor.role}': no dimension '{dim}'{nearest(dim, sizes)}; there are {list(sizes)}"
                    )
            used.update(tensor.dims)
        for dim, size in self.dims:
            if size > 1 and dim not in used:
                raise InputError(f"problem: dimension {dim} (size {size}) is in no tensor; remove it")

    @property
    def macs(self) -> int:
        """Value of the MAC count: the product of all dimensions."""
        return prod(size for _, size in self.dims)

    @property
    def output(self) -> ProblemTensor:
        """Value of the output tensor."""
        return next(tensor for tensor in self.tensors if tensor.output)

    def tensor(self, role: str) -> ProblemTensor:
        """Return the tensor with `role`."""
        for tensor in self.tensors:
            if tensor.role == role:
                return tensor
        raise InputError(f"problem: no tensor '{role}'; there are {[t.role for t in self.tensors]}")


@dataclass(frozen=True, slots=True)
class Precisions:
    """Bits per element when a layer becomes a problem.

    Parameters
    ----------
    input_bits, weight_bits, sum_bits, output_bits : int
        Of the input, the weight, a partial sum and a finished output.
    densities : tuple of (role, density, index bits)
        Sparse operands, ``("W", 1/2, 2)`` for 2:4 weights with two index bits each.
    """

    input_bits: int = 8
    weight_bits: int = 8
    sum_bits: int = 24
    output_bits: int = 8
    densities: tuple[tuple[str, Fraction, Fraction], ...] = ()


def problem_of_layer(
    layer: MacLayer, precisions: Precisions | None = None, *, fetch_padding: bool = False
) -> tuple[NestProblem, ...]:
    """Return the problems of `layer`: one, or one per phase of a transposed convolution.

    Groups are a dimension of their own that every tensor indexes, so that a depthwise convolution is `K = C = 1` with
    G free to be unrolled. Dimensions of size 1 are left out.

    Examples
    --------
    >>> from workloads.zoo import load
    >>> conv = next(l for l in load("resnet18").layers if isinstance(l, MacLayer))
    >>> problem_of_layer(conv)[0].dims
    (('K', 64), ('C', 3), ('OY', 112), ('OX', 112), ('FY', 7), ('FX', 7))
    """
    if layer.transposed:
        return tuple(
            problem
            for phase in layer.phases()
            for problem in problem_of_layer(phase, precisions, fetch_padding=fetch_padding)
        )
    given = precisions or Precisions()
    sizes = layer.dims.as_dict()
    kept = {dim: size for dim, size in sizes.items() if size > 1} or {"K": 1}
    sparse = {role: (density, index) for role, density, index in given.densities}

    def plain(*dims: str) -> tuple[Axis, ...]:
        return tuple(Axis(((1, dim),), sizes[dim]) for dim in dims if dim in kept)

    plane = []
    for letter, window in zip("DYX", layer.windows, strict=True):
        terms = tuple(
            (coefficient, dim)
            for coefficient, dim in ((window.stride, f"O{letter}"), (window.dilation, f"F{letter}"))
            if dim in kept
        )
        if terms:
            plane.append(Axis(terms, window.size_in, -window.pad_before))

    def tensor(role: str, axes: tuple[Axis, ...], bits: int, final: int = 8) -> ProblemTensor:
        density, index = sparse.get(role, (Fraction(1), Fraction(0)))
        return ProblemTensor(role, axes, role == "O", bits, final, density, index)

    return (
        NestProblem(
            tuple(kept.items()),
            (
                tensor("I", (*plain("G", "N", "C"), *plane), given.input_bits),
                tensor("W", plain("G", "K", "C", "FD", "FY", "FX"), given.weight_bits),
                tensor("O", plain("G", "N", "K", "OD", "OY", "OX"), given.sum_bits, given.output_bits),
            ),
            fetch_padding,
        ),
    )


_TENSOR = re.compile(r"\s*([A-Za-z]\w*)\s*\[([^\]]*)\]\s*")
_TERM = re.compile(r"\s*(?:(\d+)\s*\*\s*)?([A-Za-z]\w*)\s*")


def problem_of_einsum(
    equation: str, sizes: Mapping[str, int], bits: Mapping[str, int] | None = None, final_bits: int = 8
) -> NestProblem:
    """Return the problem of an equation such as ``O[k,y] = I[c, 2*y+f] * W[k,c,f]``.

    Parameters
    ----------
    equation : str
        One output, one or more inputs; an index is a sum of terms ``dim`` or ``n*dim``.
    sizes : mapping of str to int
        Size of every dimension.
    bits : mapping of str to int, optional
        Bits per element by tensor, 8 where left out; of the output, of a partial sum.

    Examples
    --------
    >>> problem_of_einsum("O[p]=I[p+r]*W[r]", {"p": 16, "r": 3}).macs
    48
    """
    left, equals, right = equation.partition("=")
    if not equals:
        raise InputError(f"equation '{equation}': no '='; write O[...] = A[...] * B[...]")
    given = dict(bits or {})
    tensors = []
    for text, output in [*((part, False) for part in _factors(right)), (left, True)]:
        match = _TENSOR.fullmatch(text)
        if match is None:
            raise InputError(f"equation '{equation}': '{text.strip()}' is not NAME[index, ...]; correct it")
        axes = tuple(_axis(part, sizes, equation) for part in match[2].split(",") if part.strip())
        tensors.append(ProblemTensor(match[1], axes, output, given.pop(match[1], 8), final_bits))
    if given:
        raise InputError(f"equation '{equation}': bits of unknown tensors {sorted(given)}; correct the names")
    return NestProblem(tuple(sizes.items()), tuple(tensors))


def _factors(text: str) -> list[str]:
    """Split a product at the stars outside brackets."""
    parts, depth, start = [], 0, 0
    for at, letter in enumerate(text):
        depth += (letter == "[") - (letter == "]")
        if letter == "*" and depth == 0:
            parts.append(text[start:at])
            start = at + 1
    return [*parts, text[start:]]


def _axis(text: str, sizes: Mapping[str, int], equation: str) -> Axis:
    terms = []
    for part in text.split("+"):
        match = _TERM.fullmatch(part)
        if match is None:
            raise InputError(f"equation '{equation}': index '{text.strip()}' is not a sum of dims or n*dim; correct it")
        if match[2] not in sizes:
            raise InputError(f"equation '{equation}': no size for dimension '{match[2]}'; give it")
        terms.append((int(match[1] or 1), match[2]))
    return Axis(tuple(terms), 1 + sum(c * (sizes[dim] - 1) for c, dim in terms))
