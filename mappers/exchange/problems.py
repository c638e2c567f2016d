"""Layers of foreign files as problems of the general mapper."""

from __future__ import annotations

from collections.abc import Mapping

from mappers.nests.problem import NestProblem, ProblemTensor
from workloads.importers.records import ForeignProblem


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
