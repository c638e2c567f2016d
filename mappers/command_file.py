"""A command list as plain data and back: every field of every command, nothing else."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from mappers.commands import (
    AnyCommand,
    ComputeCommand,
    Engine,
    LayerRecord,
    LoadCommand,
    Program,
    StoreCommand,
    VectorCommand,
)
from workloads.errors import InputError, InternalError

KINDS: dict[Engine, type[AnyCommand]] = {
    "load": LoadCommand,
    "array": ComputeCommand,
    "vector": VectorCommand,
    "store": StoreCommand,
}


def _adapter(kind: Any) -> Any:
    """Return the validator of a dataclass, made once."""
    if kind not in _ADAPTERS:
        from pydantic import TypeAdapter  # imported late: only command files need it

        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


_ADAPTERS: dict[Any, Any] = {}


def program_data(program: Program) -> dict[str, Any]:
    """Return `program` as plain data."""
    return {
        "workload": program.workload,
        "accelerator": program.accelerator,
        "dram_bytes": program.dram_bytes,
        "layers": [_adapter(LayerRecord).dump_python(layer, mode="json") for layer in program.layers],
        "commands": [_adapter(type(c)).dump_python(c, mode="json") for c in program.commands],
    }


def program_digest(data: dict[str, Any]) -> str:
    """Return the SHA-256 of the canonical JSON of `data`."""
    return hashlib.sha256(json.dumps(data, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def program_from(data: Any, subject: str) -> Program:
    """Return the program that `data` states.

    Raises
    ------
    InputError
        If a field is missing, of the wrong type, or waits make no program.
    """
    from pydantic import ValidationError

    if not isinstance(data, dict) or not isinstance(data.get("commands"), list):
        raise InputError(f"{subject}: no list 'commands'; name a file that map --commands wrote")
    commands = []
    for index, entry in enumerate(data["commands"]):
        engine = entry.get("engine") if isinstance(entry, dict) else None
        if engine not in KINDS:
            raise InputError(f"{subject}: command {index}: engine is {engine!r}, known are {', '.join(KINDS)}")
        try:
            commands.append(_adapter(KINDS[engine]).validate_json(json.dumps(entry), strict=True))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise InputError(
                f"{subject}: command {index} ({engine}): {where}: {first['msg']}; lower it again"
            ) from None
    try:
        layers = tuple(_adapter(LayerRecord).validate_json(json.dumps(x), strict=True) for x in data["layers"])
        return Program(data["workload"], data["accelerator"], layers, tuple(commands), data["dram_bytes"])
    except (KeyError, TypeError, ValidationError, InternalError) as error:
        raise InputError(f"{subject}: no program ({error}); lower it again") from None
