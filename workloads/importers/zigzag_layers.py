"""ZigZag's workload files: a list of layers, each an equation over loop dimensions, read strictly.

``O[b][k][oy][ox] += W[k][c][fy][fx] * I[b][c][iy][ix]`` with ``dimension_relations: [ix=1*ox+1*fx, iy=1*oy+1*fy]``.
Padding shrinks the real size of ``IX`` and ``IY``: padding is not fetched. Refused by name: equations of one operand or
with another operator than a product, relations over more than two dimensions, an axis that no loop reaches.
"""

from __future__ import annotations

import re
from typing import cast

from workloads.importers.cursor import Cursor
from workloads.importers.records import MAX_DIM_SIZE, ForeignProblem, ForeignTensor
from workloads.loop_nest import Axis

OPERATORS = ("Conv", "Conv_downsample", "Gemm")
_REQUIRED = ("id", "operator_type", "equation", "loop_dims", "loop_sizes", "operand_precision")
_OPTIONAL = ("name", "dimension_relations", "operand_source", "pr_loop_dims", "pr_loop_sizes", "padding")
_REFERENCE = r"(\w+)((?:\[\w+\])+)"
_EQUATION = re.compile(rf"\s*{_REFERENCE}\s*\+?=\s*{_REFERENCE}\s*\*\s*{_REFERENCE}\s*")
_RELATION = re.compile(r"\s*(\w+)\s*=\s*(?:(\d+)\s*\*\s*)?(\w+)\s*\+\s*(?:(\d+)\s*\*\s*)?(\w+)\s*")
_Terms = tuple[tuple[int, str], ...]


def read_layers(top: Cursor) -> tuple[ForeignProblem, ...]:
    """Return the layers of a workload file, in its order.

    Raises
    ------
    InputError
        With every mistake of the file.
    """
    layers = []
    for item in top.items():
        fields = item.fields(_REQUIRED, _OPTIONAL)
        if all(key in fields for key in _REQUIRED):
            layer = _layer(item, fields)
            if layer is not None:
                layers.append(layer)
    if not layers and not top.mistakes:
        top.fail("has no layer", "give a list of layers")
    top.finish()
    return tuple(layers)


def _layer(item: Cursor, fields: dict[str, Cursor]) -> ForeignProblem | None:
    before = len(item.mistakes)
    number = fields["id"].integer(0, 1 << 30, "identifier")
    kind = fields["operator_type"].choice(OPERATORS)
    dims = [entry.text(r"[A-Za-z]\w*", "a dimension").upper() for entry in fields["loop_dims"].items()]
    sizes = [entry.integer(1, MAX_DIM_SIZE, "iterations") for entry in fields["loop_sizes"].items()]
    if len(dims) != len(sizes) or len(set(dims)) != len(dims):
        fields["loop_sizes"].fail(f"has {len(sizes)} sizes for {dims}", "give one size per distinct dimension")
    relations = _relations(fields, dims)
    references = _equation(fields["equation"])
    precision = _precision(fields["operand_precision"])
    limits = _limits(fields, relations)
    if "operand_source" in fields:
        for entry in fields["operand_source"].fields((), ("I", "W")).values():
            entry.integer(0, 1 << 30, "identifier of a layer")
    if len(item.mistakes) > before:
        return None
    size = dict(zip(dims, sizes, strict=True))
    tensors = []
    for name, indices in references:
        axes = [_axis(fields["equation"], index, size, relations, limits) for index in indices]
        if name == "O":
            tensors.append(ForeignTensor(name, tuple(axes), precision["O_final"], precision["O"], output=True))
        else:
            bits = precision.get(name)
            if bits is None:
                fields["operand_precision"].fail(f"has no '{name}'", "give its bits")
            tensors.append(ForeignTensor(name, tuple(axes), bits, bits))
    if len(item.mistakes) > before:
        return None
    label = fields["name"].value if "name" in fields else None
    return ForeignProblem(str(label or f"Layer{number}"), tuple(size.items()), tuple(tensors), kind)


def _relations(fields: dict[str, Cursor], dims: list[str]) -> dict[str, _Terms]:
    """Return the affine sum of loop dimensions that each derived index stands for."""
    found: dict[str, _Terms] = {}
    for entry in fields["dimension_relations"].items() if "dimension_relations" in fields else ():
        match = _RELATION.fullmatch(entry.value) if isinstance(entry.value, str) else None
        if match is None:
            entry.fail("is not a relation", "supported: ix=STRIDE*ox+DILATION*fx, two dimensions, whole coefficients")
            continue
        name, first, a, second, b = match.groups()
        terms = ((int(first or 1), a.upper()), (int(second or 1), b.upper()))
        for coefficient, dim in terms:
            if dim not in dims or coefficient < 1:
                entry.fail(f"uses {coefficient}*{dim}", f"coefficients >= 1 of the loop dimensions {', '.join(dims)}")
        found[name.upper()] = terms
    return found


def _equation(cursor: Cursor) -> list[tuple[str, list[str]]]:
    """Return (operand, indices) of O, then of the two factors."""
    match = _EQUATION.fullmatch(cursor.value) if isinstance(cursor.value, str) else None
    if match is None:
        cursor.fail("is not a product of two tensors", "supported: O[..] += A[..] * B[..] with single names as indices")
        return []
    parts = match.groups()
    found = [(parts[i], [x.upper() for x in re.findall(r"\w+", parts[i + 1])]) for i in (0, 2, 4)]
    names = [name for name, _ in found]
    if sorted(names) != ["I", "O", "W"] or names[0] != "O":
        cursor.fail(f"is over {', '.join(names)}", "supported: O on the left, I and W on the right")
    return found


def _precision(cursor: Cursor) -> dict[str, int]:
    fields = cursor.fields(("O", "O_final"), ("I", "W"))
    return {key: entry.integer(1, 1024, "bits") for key, entry in fields.items()}


def _limits(fields: dict[str, Cursor], relations: dict[str, _Terms]) -> dict[str, tuple[int | None, int, int]]:
    """Return (real size or None, padding before, after) of each derived index."""
    if "pr_loop_dims" not in fields or fields["pr_loop_dims"].value is None:
        if "padding" in fields and fields["padding"].value is not None:
            fields["padding"].fail("has no pr_loop_dims beside it", "name the padded dimensions in pr_loop_dims")
        return {}
    names = [entry.text(r"[A-Za-z]\w*", "a dimension").upper() for entry in fields["pr_loop_dims"].items()]
    for name in names:
        if name not in relations:
            fields["pr_loop_dims"].fail(
                f"names {name}", f"known from dimension_relations: {', '.join(relations) or 'none'}"
            )
    sizes: list[int | None] = [None] * len(names)
    if "pr_loop_sizes" in fields and fields["pr_loop_sizes"].value is not None:
        sizes = [entry.integer(1, MAX_DIM_SIZE, "elements") for entry in fields["pr_loop_sizes"].items()]
    pads: list[tuple[int, int]] = [(0, 0)] * len(names)
    if "padding" in fields and fields["padding"].value is not None:
        rows = [[x.integer(0, 1 << 20, "elements") for x in entry.items()] for entry in fields["padding"].items()]
        if any(len(row) != 2 for row in rows):
            fields["padding"].fail("has an entry that is not a pair", "give [before, after] per dimension")
            return {}
        pads = [cast("tuple[int, int]", tuple(row)) for row in rows]
    if len(sizes) != len(names) or len(pads) != len(names):
        fields["pr_loop_dims"].fail(f"names {len(names)}", f"pr_loop_sizes has {len(sizes)}, padding {len(pads)}")
        return {}
    return {name: (size, *pad) for name, size, pad in zip(names, sizes, pads, strict=True)}


def _axis(
    cursor: Cursor, index: str, size: dict[str, int], relations: dict[str, _Terms],
    limits: dict[str, tuple[int | None, int, int]],
) -> Axis:  # fmt: skip
    if index in size:
        return Axis(((1, index),), size[index])
    if index not in relations:
        cursor.fail(f"uses index '{index.lower()}'", "name it in loop_dims or in dimension_relations")
        return Axis((), 1)
    terms = relations[index]
    whole = 1 + sum(coefficient * (size[dim] - 1) for coefficient, dim in terms)
    given, before, after = limits.get(index, (None, 0, 0))
    real = whole - before - after if given is None else min(given, whole)  # rows that no window reads are not there
    if not 1 <= real <= whole:
        cursor.fail(
            f"reads {whole} elements along {index}, {real} of them real",
            f"correct padding or pr_loop_sizes to 1..{whole}",
        )
        return Axis((), 1)
    return Axis(terms, real, -before)
