"""The JSON form of tensor graphs: ``{"tensors": [{"name", "bytes"}], "ops": [{"name", "inputs", "outputs"}]}``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mappers.placement.graph import GraphTensor, Operator, TensorGraph
from workloads.errors import InputError

MAX_FILE_BYTES = 64 << 20
MAX_ITEMS = 100_000


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Tensor(_Strict):
    name: str = Field(max_length=512)
    bytes: int


class _Op(_Strict):
    name: str = Field(max_length=512)
    inputs: list[str] = Field(max_length=MAX_ITEMS)
    outputs: list[str] = Field(max_length=MAX_ITEMS)


class _Graph(_Strict):
    tensors: list[_Tensor] = Field(max_length=MAX_ITEMS)
    ops: list[_Op] = Field(max_length=MAX_ITEMS)


def read_graph(path: Path) -> TensorGraph:
    """Return the tensor graph of a JSON file.

    Raises
    ------
    InputError
        If it cannot be read; every mistake is listed with its place.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise InputError(f"tensor graph '{path}': {path.stat().st_size} bytes, bound is {MAX_FILE_BYTES}; split it")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"tensor graph '{path}': cannot be read ({error.strerror}); check the path") from None
    except UnicodeDecodeError:
        raise InputError(f"tensor graph '{path}': is not UTF-8 text; save it as such") from None
    try:
        tree = json.loads(text, object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise InputError(f"tensor graph '{path}': is not JSON ({str(error)[:120]}); correct it") from None
    return graph_from(tree, path.name)


def graph_from(tree: Any, name: str) -> TensorGraph:
    """Return the tensor graph that plain data states; `name` is for messages."""
    try:
        data = _Graph.model_validate(tree)
    except ValidationError as error:
        mistakes = [_explain(item) for item in error.errors(include_url=False)[:20]]
        raise InputError("\n  ".join([f"tensor graph '{name}': {error.error_count()} mistakes", *mistakes])) from None
    return TensorGraph(
        tuple(GraphTensor(t.name, t.bytes) for t in data.tensors),
        tuple(Operator(op.name, tuple(op.inputs), tuple(op.outputs)) for op in data.ops),
        name,
    )


def graph_data(graph: TensorGraph) -> dict[str, Any]:
    """Return `graph` as plain data; `graph_from` reads it back equal."""
    return {
        "tensors": [{"name": t.name, "bytes": t.size_bytes} for t in graph.tensors],
        "ops": [{"name": o.name, "inputs": list(o.inputs), "outputs": list(o.outputs)} for o in graph.operators],
    }


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    if len(set(keys)) < len(keys):
        raise ValueError(f"key '{next(k for k in keys if keys.count(k) > 1)}' stands twice in one object")
    return dict(pairs)


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is no JSON number")


def _explain(item: Any) -> str:
    where = ".".join(str(part) for part in item["loc"]) or "top level"
    kind = item["type"]
    if kind == "missing":
        return f"{where}: is missing; add it"
    if kind == "extra_forbidden":
        return f"{where}: key is unknown; use tensors (name, bytes) and ops (name, inputs, outputs)"
    shown = f"{item['input']!r:.60}" if not isinstance(item["input"], dict | list) else type(item["input"]).__name__
    return f"{where}: value is {shown}: {item['msg'][0].lower()}{item['msg'][1:]}; correct it"
