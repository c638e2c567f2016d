"""The plan as a file: what ``map`` decided, and reading it back to the identical cost."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping as MappingABC
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tilewright import __version__
from workloads.errors import InputError

if TYPE_CHECKING:
    from mappers.given import GivenPlan
    from mappers.plan import Plan

SCHEMA = "tilewright.plan/1"
MAX_BYTES = 64 << 20


class _Node(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


class _Loop(_Node):
    dim: Literal["N", "G", "K", "C", "OD", "OY", "OX"]
    extent: int = Field(ge=1)
    tile: int = Field(ge=1)


class _Certificate(_Node):
    cost_model: str
    map_space: str
    objective: str
    value: float
    bound: float
    candidates: int
    covered: int
    proven_optimal: bool


class _Nest(_Node):
    dataflow: Literal["ws", "os"]
    loops: list[_Loop]
    cuts: dict[Literal["I", "W", "O"], int]
    certificate: _Certificate | None = None


class _Phases(_Node):
    phases: list[_Nest]


class _Layer(_Node):
    name: str
    mapping: _Nest | _Phases | None


class _Resident(_Node):
    tensor: str
    half: int


class PlanFile(_Node):
    """What a reload needs of the file."""

    workload: str
    workload_sha256: str
    arch: str
    arch_sha256: str
    overrides: list[str]
    dims: dict[str, int]
    objective: Literal["latency", "energy", "edp"]
    layers: list[_Layer]
    resident: list[_Resident]


def plan_data(
    plan: Plan, workload: str, workload_sha256: str, arch: str, dims: MappingABC[str, int], overrides: Sequence[str]
) -> dict[str, Any]:
    """Return `plan` as plain data of schema ``tilewright.plan/1``."""
    from tilewright.api import mapping_data

    core = plan.accelerator.core.name
    words = ["tilewright", "map", workload, "--arch", arch, "--objective", plan.objective]
    words += [word for name, value in dims.items() for word in ("--dim", f"{name}={value}")]
    words += [word for override in overrides for word in ("--set", override)]
    tensors: Any = plan.placement["tensors"]
    return {
        "schema": SCHEMA,
        "tilewright_version": __version__,
        "workload": workload,
        "workload_sha256": workload_sha256,
        "arch": arch,
        "arch_sha256": plan.accelerator.sha256,
        "overrides": list(overrides),
        "dims": dict(dims),
        "objective": plan.objective,
        "redo": shlex.join(words),
        "layers": [
            {
                "name": entry.group.lead.name,
                "fused": list(entry.group.names),
                "kind": entry.group.kind,
                "mapping": mapping_data(entry, core),
            }
            for entry in plan.groups
        ],
        "resident": [{"tensor": t["name"], "half": t["half"]} for t in tensors if t["memory"] == "input"],
        "placement": plan.placement,
        "commands": len(plan.program.commands),
    }


def read_plan(path: Path) -> PlanFile:
    """Read a plan file.

    Raises
    ------
    InputError
        If it is missing, too large, or no plan.
    """
    path = path / "plan.json" if path.is_dir() else path
    if not path.is_file():
        raise InputError(f"plan '{path}': no such file; write one with: tilewright map WORKLOAD -o plan.json")
    if path.stat().st_size > MAX_BYTES:
        raise InputError(f"plan '{path}': {path.stat().st_size} bytes, bound is {MAX_BYTES}; this is no plan")
    try:
        tree = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise InputError(f"plan '{path}': not JSON ({error}); name the file that map -o wrote") from None
    schema = tree.get("schema") if isinstance(tree, dict) else None
    if schema != SCHEMA:
        raise InputError(f"plan '{path}': schema is {schema!r}, expected '{SCHEMA}'; name a plan")
    try:
        return PlanFile.model_validate_json(json.dumps(tree))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"plan '{path}': {where}: {first['msg']}; map the network again") from None


def given_plan(file: PlanFile, core: str) -> GivenPlan:
    """Return the decisions of `file` as the mapper takes them; wrong nests are refused with their layer."""
    from mappers.given import GivenPlan

    nests = {}
    for layer in file.layers:
        if layer.mapping is not None:
            phases = layer.mapping.phases if isinstance(layer.mapping, _Phases) else [layer.mapping]
            nests[layer.name] = tuple(_mapping(layer.name, core, nest) for nest in phases)
    return GivenPlan(nests, {entry.tensor: entry.half for entry in file.resident})


def _mapping(layer: str, core: str, nest: _Nest) -> Any:
    from mappers.mapping import Certificate, Mapping, TileLoop

    if set(nest.cuts) != {"I", "W", "O"}:
        raise InputError(f"plan: layer '{layer}': cuts name {sorted(nest.cuts)}, bound is I, W and O; give all three")
    loops = tuple(TileLoop(loop.dim, loop.extent, loop.tile) for loop in nest.loops)
    cuts = tuple((role, nest.cuts[role]) for role in ("I", "W", "O"))
    certificate = None if nest.certificate is None else Certificate(**nest.certificate.model_dump())
    return Mapping(layer, core, nest.dataflow, loops, cuts, certificate)
