"""The expressions that AccelForge's machine files may hold: arithmetic of numbers, and sets of tensors.

Numbers: ``1024*64*8``, ``8 * 38.4e9``, ``inf``, ``TENSOR.bits_per_value``, ``X if TENSOR else Y``.
Sets: a tensor or one of its general names, an outer memory (what it keeps), ``All``, ``Nothing``, ``Inputs``,
``Outputs``, ``Intermediates``, with ``~ | & -``. Nothing is evaluated but these.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from workloads.importers.cursor import Cursor


@dataclass(frozen=True, slots=True)
class EinsumView:
    """What a machine file's expressions may ask of the einsum it is read for.

    Parameters
    ----------
    bits : mapping of tensor to int
    renames : mapping of general name (input, weight, output) to tensor
    relevant : mapping of tensor to its rank variables
    """

    bits: Mapping[str, int]
    renames: Mapping[str, str]
    relevant: Mapping[str, frozenset[str]]
    output: str

    @property
    def variables(self) -> tuple[str, ...]:
        """Value of all rank variables, sorted."""
        return tuple(sorted(frozenset().union(*self.relevant.values())))


def number(cursor: Cursor, view: EinsumView) -> float:
    """Return a figure: a number, ``inf``, or arithmetic of numbers and ``TENSOR.bits_per_value``."""
    value = cursor.value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    try:
        tree = ast.parse(str(value), mode="eval").body
        return _arithmetic(tree, view)
    except (SyntaxError, ValueError, ZeroDivisionError, RecursionError, MemoryError, OverflowError):
        cursor.fail(f"is '{value}'", "supported: numbers, inf, + - * / and TENSOR.bits_per_value [if TENSOR else N]")
        return 1


def _arithmetic(node: ast.expr, view: EinsumView) -> float:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        return node.value
    if isinstance(node, ast.Name) and node.id == "inf":
        return math.inf
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_arithmetic(node.operand, view)
    if isinstance(node, ast.BinOp):
        left, right = _arithmetic(node.left, view), _arithmetic(node.right, view)
        if isinstance(node.op, ast.Add):
            return left + right
        if isinstance(node.op, ast.Sub):
            return left - right
        if isinstance(node.op, ast.Mult):
            return left * right
        if isinstance(node.op, ast.Div):
            return left / right
    if isinstance(node, ast.Attribute) and node.attr == "bits_per_value" and isinstance(node.value, ast.Name):
        name = view.renames.get(node.value.id, node.value.id)
        if name in view.bits:
            return view.bits[name]
    if isinstance(node, ast.IfExp) and isinstance(node.test, ast.Name):
        there = view.renames.get(node.test.id, node.test.id) in view.bits
        return _arithmetic(node.body if there else node.orelse, view)
    raise ValueError("not arithmetic")


def tensors(cursor: Cursor, view: EinsumView, outside: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """Return the tensors of a set expression; of one einsum alone nothing is an intermediate."""
    everything = frozenset(view.relevant)
    try:
        tree = ast.parse(str(cursor.value), mode="eval").body
        return _set(tree, view, everything, outside)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        names = ", ".join(
            (*sorted(everything), *view.renames, *outside, "All", "Nothing", "Intermediates", "Inputs", "Outputs")
        )
        cursor.fail(f"is '{cursor.value}'", f"supported: {names} with ~ | & -")
        return everything


def _set(
    node: ast.expr, view: EinsumView, everything: frozenset[str], outside: Mapping[str, frozenset[str]]
) -> frozenset[str]:
    if isinstance(node, ast.Name):
        outputs = frozenset((view.output,))
        known: dict[str, Iterable[str]] = {
            "All": everything, "Nothing": (), "Intermediates": (), "Inputs": everything - outputs, "Outputs": outputs,
            **outside,
        }  # fmt: skip
        name = view.renames.get(node.id, node.id)
        if name in everything:
            return frozenset((name,))
        if node.id in known:
            return frozenset(known[node.id])
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Invert):
        return everything - _set(node.operand, view, everything, outside)
    elif isinstance(node, ast.BinOp):
        left, right = (_set(part, view, everything, outside) for part in (node.left, node.right))
        if isinstance(node.op, ast.BitOr):
            return left | right
        if isinstance(node.op, ast.BitAnd):
            return left & right
        if isinstance(node.op, ast.Sub):
            return left - right
    raise ValueError("not a set of tensors")
