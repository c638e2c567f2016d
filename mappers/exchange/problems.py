"""Layers of foreign files as problems of the general mapper."""

from __future__ import annotations

from collections.abc import Mapping

from mappers.nests.problem import NestProblem, ProblemTensor
from workloads.errors import InputError
from workloads.importers.records import ForeignProblem, ForeignTensor
from workloads.loop_nest import Axis
from workloads.mac_layers import MacLayer


def nest_problem(layer: ForeignProblem, bits: int = 8, roles: Mapping[str, str] | None = None) -> NestProblem:
    """Return `layer` as a problem; tensors keep their names as roles, or get those of `roles`.

    Parameters
    ----------
    bits : int
        Width of an element where the file states none (Timeloop's words have that of the machine).
    """
    given = roles or {}
    tensors = []
    for tensor in (*layer.inputs, layer.output):
        width = bits if tensor.bits is None else tensor.bits
        partial = width if tensor.partial_bits is None else tensor.partial_bits
        role = given.get(tensor.name, tensor.name)
        axes = tuple(axis for axis in tensor.axes if axis.terms)
        tensors.append(ProblemTensor(role, axes, tensor.output, partial, width))
    return NestProblem(layer.dims, tuple(tensors))


ZIGZAG_BITS = {"I": 8, "W": 8, "O": 16, "O_final": 8}
"""What ZigZag assumes of a layer of an ONNX model that states nothing else."""


def zigzag_layer(layer: MacLayer) -> ForeignProblem:
    """Return `layer` with ZigZag's names and word widths: B for batch, D for the rows of a matrix product.

    Raises
    ------
    InputError
        For a transposed or a three-dimensional convolution, which ZigZag's own import has not.
    """
    d = layer.dims
    if layer.transposed or d.OD > 1 or d.FD > 1:
        raise InputError(
            f"layer '{layer.name}': is transposed or three-dimensional; supported: plain 1-D and 2-D layers"
        )

    def plain(**sizes: int) -> tuple[Axis, ...]:
        return tuple(Axis(((1, dim),), size) for dim, size in sizes.items())

    if layer.spatial_rank == 0:
        dims = (("C", d.C), ("D", d.OX), ("K", d.K), ("G", d.G))
        data, weight, out = plain(G=d.G, D=d.OX, C=d.C), plain(G=d.G, C=d.C, K=d.K), plain(G=d.G, D=d.OX, K=d.K)
        kind = "Gemm"
    else:
        dims = (("B", d.N), ("K", d.K), ("G", d.G), ("OX", d.OX), ("OY", d.OY), ("C", d.C), ("FX", d.FX), ("FY", d.FY))  # type: ignore[assignment]
        plane = []
        for letter, window in zip("YX", layer.windows[1:], strict=True):
            reach = window.extent(window.size_out)
            terms = ((window.stride, f"O{letter}"), (window.dilation, f"F{letter}"))
            plane.append(Axis(terms, min(window.size_in, reach), -window.pad_before))
        data = (*plain(B=d.N, G=d.G, C=d.C), *plane)
        weight, out = plain(G=d.G, K=d.K, C=d.C, FY=d.FY, FX=d.FX), plain(B=d.N, G=d.G, K=d.K, OY=d.OY, OX=d.OX)
        kind = "Conv"
    bits = ZIGZAG_BITS
    tensors = (
        ForeignTensor("O", out, bits["O_final"], bits["O"], output=True),
        ForeignTensor("W", weight, bits["W"], bits["W"]),
        ForeignTensor("I", data, bits["I"], bits["I"]),
    )
    return ForeignProblem(layer.name, dims, tensors, kind)
