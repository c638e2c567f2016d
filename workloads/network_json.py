"""Networks as JSON and back: one generic rule for every layer class, driven by its fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, Literal, get_args, get_origin, get_type_hints

from workloads import data_layers, mac_layers, norm_layers, vector_layers
from workloads.errors import InputError
from workloads.formats import parse_format
from workloads.layer import Layer
from workloads.nearest import nearest
from workloads.network import Network
from workloads.tensor import Tensor

SCHEMA = "tilewright.network/1"
LAYER_CLASSES: dict[str, type[Layer]] = {
    cls.__name__: cls
    for module in (mac_layers, vector_layers, norm_layers, data_layers)
    for cls in vars(module).values()
    if isinstance(cls, type) and issubclass(cls, Layer) and cls.OPS
}


def encode_network(network: Network) -> dict[str, Any]:
    """Return the description of `network`: layers in execution order, tensors in the order of their names."""
    return {
        "schema": SCHEMA,
        "name": network.name,
        "source": network.source,
        "inputs": list(network.inputs),
        "outputs": list(network.outputs),
        "tensors": [
            {"name": t.name, "shape": list(t.shape), "format": t.format.name, "kind": t.kind}
            for _, t in sorted(network.tensors.items())
        ],
        "layers": [{"class": type(layer).__name__, **_encode_fields(layer)} for layer in network.order],
    }


def decode_network(document: Mapping[str, Any]) -> Network:
    """Return the network of a description.

    Raises
    ------
    InputError
        If the description is malformed.
    """
    keys = ("schema", "name", "source", "inputs", "outputs", "tensors", "layers")
    _check_keys("network description", document, keys, keys)
    if document["schema"] != SCHEMA:
        raise InputError(f"network description: schema is {document['schema']!r}, expected '{SCHEMA}'; convert it")
    tensors: dict[str, Tensor] = {}
    for index, entry in enumerate(_typed(list, document["tensors"], "tensors")):
        where = f"tensors[{index}]"
        names = ("name", "shape", "format", "kind")
        _check_keys(where, entry, names, names)
        tensor = Tensor(
            _typed(str, entry["name"], f"{where}.name"),
            _decode(tuple[int, ...], entry["shape"], f"{where}.shape"),
            parse_format(_typed(str, entry["format"], f"{where}.format")),
            entry["kind"],
        )
        if tensor.name in tensors:
            raise InputError(f"{where}: tensor '{tensor.name}' is listed twice; keep one")
        tensors[tensor.name] = tensor
    entries = _typed(list, document["layers"], "layers")
    return Network(
        _typed(str, document["name"], "name"),
        tensors,
        tuple(_decode_layer(entry, f"layers[{index}]") for index, entry in enumerate(entries)),
        _decode(tuple[str, ...], document["inputs"], "inputs"),
        _decode(tuple[str, ...], document["outputs"], "outputs"),
        _typed(str, document["source"], "source"),
    )


def _encode_fields(item: Any) -> dict[str, Any]:
    return {field.name: _encode(getattr(item, field.name)) for field in fields(item)}


def _encode(value: Any) -> Any:
    if is_dataclass(value):
        return _encode_fields(value)
    if isinstance(value, tuple):
        return [_encode(item) for item in value]
    return value


@cache
def _hints(cls: type) -> dict[str, Any]:
    """Return the resolved field types of a class; resolving costs more than the rest of decoding a layer."""
    return get_type_hints(cls)


def _decode_layer(entry: Any, where: str) -> Layer:
    _typed(dict, entry, where)
    cls = LAYER_CLASSES.get(entry.get("class", ""))
    if cls is None:
        name = str(entry.get("class"))
        raise InputError(f"{where}: class '{name}' is no layer class{nearest(name, LAYER_CLASSES)}")
    made = _decode_fields(cls, {key: value for key, value in entry.items() if key != "class"}, where)
    if not isinstance(made, Layer):
        raise InputError(f"{where}: is no layer; correct it")
    return made


def _decode_fields(cls: type, entry: Any, where: str) -> Any:
    hints = _hints(cls)
    known = [field.name for field in fields(cls)]
    required = [f.name for f in fields(cls) if f.default is MISSING and f.default_factory is MISSING]
    _check_keys(where, entry, required, known)
    return cls(**{key: _decode(hints[key], value, f"{where}.{key}") for key, value in entry.items()})


def _decode(hint: Any, value: Any, where: str) -> Any:
    """Return `value` as the type `hint` says: int, bool, str, Literal, tuples of these, dataclasses."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        if value not in arguments:
            raise InputError(f"{where}: is {value!r}, bound is one of {list(arguments)}; correct it")
        return value
    if origin is tuple:
        items = _typed(list, value, where)
        if len(arguments) == 2 and arguments[1] is ...:
            arguments = (arguments[0],) * len(items)
        if len(items) != len(arguments):
            raise InputError(f"{where}: has {len(items)} entries, bound is {len(arguments)}; correct it")
        return tuple(_decode(h, v, f"{where}[{i}]") for i, (h, v) in enumerate(zip(arguments, items, strict=True)))
    if is_dataclass(hint) and isinstance(hint, type):
        return _decode_fields(hint, value, where)
    return _typed(hint, value, where)


def _typed(expected: Any, value: Any, where: str) -> Any:
    if not isinstance(value, expected) or (expected is int and isinstance(value, bool)):
        raise InputError(f"{where}: is {type(value).__name__}, expected {expected.__name__}; correct it")
    return value


def _check_keys(where: str, entry: Any, required: Any, known: Any) -> None:
    _typed(Mapping, entry, where)
    for key in entry:
        if key not in known:
            raise InputError(f"{where}: key '{key}' is not known{nearest(str(key), known)}")
    for key in required:
        if key not in entry:
            raise InputError(f"{where}: key '{key}' is missing; add it")
