"""Timeloop's problem files (v0.4, and the hyphenated keys of v0.2 and v0.3), read strictly.

A data space is a list of axes; an axis is a sum of terms ``[dimension]`` or ``[dimension, coefficient]``. There is no
padding: an axis is as long as its terms reach. Refused by name: densities, several written data spaces, products of
dimensions and unknown keys.
"""

from __future__ import annotations

from workloads.importers.cursor import Cursor
from workloads.importers.records import MAX_DIM_SIZE, ForeignProblem, ForeignTensor
from workloads.loop_nest import Axis

_NAME = r"[A-Za-z_]\w*"


def read_problem(top: Cursor) -> ForeignProblem:
    """Return the problem under `top`, which is a file with the key ``problem``, or that key's value.

    Raises
    ------
    InputError
        With every mistake of the file.
    """
    body = top
    if isinstance(top.value, dict) and "problem" in top.value:
        body = top.fields(("problem",))["problem"]
        top.finish()
    fields = body.fields(("shape", "instance"), ("version",))
    top.finish()
    shape = fields["shape"].fields(("dimensions",), ("data_spaces", "data-spaces", "coefficients", "name", "version"))
    spaces = shape.get("data_spaces", shape.get("data-spaces"))
    if spaces is None:
        fields["shape"].fail("has no 'data_spaces'", "list the tensors")
    dims = [item.text(_NAME, "a dimension") for item in shape["dimensions"].items()] if "dimensions" in shape else []
    if not dims or len(set(dims)) != len(dims):
        fields["shape"].fail(f"has dimensions {dims}", "name one or more, each once")
    top.finish()
    coefficients = _coefficients(shape)
    sizes = _instance(fields["instance"], dims, coefficients)
    top.finish()
    assert spaces is not None
    tensors = tuple(_data_space(item, sizes, coefficients) for item in spaces.items())
    name = shape["name"].text() if "name" in shape else "problem"
    written = [tensor.name for tensor in tensors if tensor.output]
    if len(written) != 1:
        spaces.fail(f"has {len(written)} data spaces with read_write: true", "supported: exactly one")
    top.finish()
    return ForeignProblem(name, tuple(sizes.items()), tensors)


def _coefficients(shape: dict[str, Cursor]) -> dict[str, int]:
    found: dict[str, int] = {}
    for item in shape["coefficients"].items() if "coefficients" in shape else ():
        fields = item.fields(("name",), ("default",))
        name = fields["name"].text(_NAME, "a name") if "name" in fields else ""
        found[name] = fields["default"].integer(1, 1 << 20, "elements") if "default" in fields else 1
    return found


def _instance(cursor: Cursor, dims: list[str], coefficients: dict[str, int]) -> dict[str, int]:
    """Return the size of each dimension; coefficients of the instance replace their defaults in place."""
    known = cursor.fields(dims, (*coefficients, "densities"))
    if "densities" in known and known["densities"].value not in ({}, None):
        known["densities"].fail("gives densities", "supported: dense problems; remove it")
    for name in coefficients:
        if name in known:
            coefficients[name] = known[name].integer(1, 1 << 20, "elements")
    return {dim: known[dim].integer(1, MAX_DIM_SIZE, "iterations") for dim in dims if dim in known}


def _data_space(item: Cursor, sizes: dict[str, int], coefficients: dict[str, int]) -> ForeignTensor:
    fields = item.fields(("name", "projection"), ("read_write", "read-write"))
    if len(fields) < 2:
        return ForeignTensor("?", ())
    flag = fields.get("read_write", fields.get("read-write"))
    output = flag.boolean() if flag is not None else False
    axes = tuple(_axis(axis, sizes, coefficients) for axis in fields["projection"].items())
    return ForeignTensor(fields["name"].text(_NAME, "a name"), axes, output=output)


def _axis(axis: Cursor, sizes: dict[str, int], coefficients: dict[str, int]) -> Axis:
    """Return one axis: a sum of terms, each a dimension with an optional coefficient."""
    terms: list[tuple[int, str]] = []
    for term in axis.items():
        parts = term.items()
        dims = [part for part in parts if part.value in sizes]
        others = [part for part in parts if part.value not in sizes]
        if len(dims) != 1 or len(others) > 1:
            shown = " * ".join(str(part.value) for part in parts)
            term.fail(f"is the term '{shown}'", "supported: one dimension, or one dimension and one coefficient")
            continue
        factor = 1
        for other in others:
            if isinstance(other.value, str) and other.value in coefficients:
                factor = coefficients[other.value]
            elif isinstance(other.value, str):
                other.fail(f"is '{other.value}'", f"known: {', '.join((*sizes, *coefficients))}")
            else:
                factor = other.integer(1, 1 << 20, "coefficient")
        if any(dim == dims[0].value for _, dim in terms):
            term.fail(f"uses {dims[0].value} twice along one axis", "supported: each dimension once per axis")
        terms.append((factor, str(dims[0].value)))
    reach = 1 + sum(factor * (sizes[dim] - 1) for factor, dim in terms)
    return Axis(tuple(terms), reach)
