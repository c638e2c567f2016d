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
from mappers.draft import extent
from workloads.errors import InputError, InternalError

MAX_DRAM_BYTES = 1 << 31
"""Greatest image that a command list may name."""

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
        "commands": [_command_data(command) for command in program.commands],
    }


def _command_data(command: AnyCommand) -> dict[str, Any]:
    """Return a command as plain data; fields that only some machines or layers need are left out elsewhere."""
    data: dict[str, Any] = _adapter(type(command)).dump_python(command, mode="json")
    if data.get("bank_reads", 0) is None:
        del data["bank_reads"]
    elif "bank_reads" in data and data["bank_reads"]["weight"]["places"] == 1:
        del data["bank_reads"]["weight"]["places"], data["bank_reads"]["weight"]["word_bits"]
    if data.get("dma") == 0:
        del data["dma"]
    if (data.get("walk") or {}).get("planes") == 1:
        del data["walk"]["planes"]
    return data


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

    if not isinstance(data, dict):
        raise InputError(f"{subject}: no program; name a file that map --commands wrote")
    for key, kind in (
        ("commands", list),
        ("layers", list),
        ("workload", str),
        ("accelerator", str),
        ("dram_bytes", int),
    ):
        if not isinstance(data.get(key), kind):
            raise InputError(f"{subject}: '{key}' is missing or no {kind.__name__}; lower it again")
    size = data["dram_bytes"]
    if not 0 < size <= MAX_DRAM_BYTES or isinstance(size, bool):
        raise InputError(f"{subject}: dram_bytes is {size}, bound is 1..{MAX_DRAM_BYTES}; lower it again")
    commands = []
    for index, entry in enumerate(data["commands"]):
        engine = entry.get("engine") if isinstance(entry, dict) else None
        if not isinstance(engine, str) or engine not in KINDS:
            raise InputError(f"{subject}: command {index}: engine is {engine!r}, known are {', '.join(KINDS)}")
        try:
            command = _adapter(KINDS[engine]).validate_json(json.dumps(entry), strict=True)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise InputError(
                f"{subject}: command {index} ({engine}): {where}: {first['msg']}; lower it again"
            ) from None
        _check_counts(command, f"{subject}: command {index} ({engine})")
        if isinstance(command, LoadCommand | StoreCommand) and extent(command.transfers)[1] > size:
            raise InputError(f"{subject}: command {index} ({engine}): ends beyond dram_bytes ({size}); lower it again")
        commands.append(command)
    try:
        layers = tuple(_adapter(LayerRecord).validate_json(json.dumps(x), strict=True) for x in data["layers"])
        return Program(data["workload"], data["accelerator"], layers, tuple(commands), data["dram_bytes"])
    except ValidationError as error:
        raise InputError(f"{subject}: layers: {error.errors(include_url=False)[0]['msg']}; lower it again") from None
    except InternalError as error:
        raise InputError(f"{subject}: no program ({error}); lower it again") from None


def _check_counts(command: AnyCommand, subject: str) -> None:
    """Refuse counts that no lowering writes and no machine could run."""
    if isinstance(command, LoadCommand | StoreCommand):
        if not command.transfers:
            raise InputError(f"{subject}: 0 transfers, bound is >= 1; lower it again")
        for transfer in command.transfers:
            if len(transfer.counts) != len(transfer.pitches_bytes):
                raise InputError(f"{subject}: {len(transfer.counts)} counts for {len(transfer.pitches_bytes)} pitches; "
                                 f"lower it again")  # fmt: skip
            if transfer.address < 0 or min((transfer.run_bytes, *transfer.counts)) < 1:
                raise InputError(f"{subject}: a transfer of {transfer}, bound is >= 1 byte and run; lower it again")
    elif isinstance(command, VectorCommand):
        least = min(command.rows, command.row_elements, command.simple_passes, command.special_passes)
        if least < 0 or (command.walk is not None and min(command.walk.pool) < 1):
            raise InputError(f"{subject}: a count of its work is below its bound; lower it again")
