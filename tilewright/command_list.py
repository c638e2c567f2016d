"""Command lists as files: what `map --commands` writes, and what `verify` runs on event model and RTL alike."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mappers.command_file import program_data, program_digest, program_from
from tilewright import __version__
from tilewright.digits import NAME, load_digits
from tilewright.engine_case import EngineCase, case_of
from tilewright.sources import load_workload
from tilewright.verification import VerifyReport
from workloads.errors import InputError, MismatchError

if TYPE_CHECKING:
    from mappers.plan import Plan

SCHEMA = "tilewright.commands/1"
MAX_BYTES = 256 << 20


def command_data(
    plan: Plan, workload: str, workload_sha256: str, arch: str, dims: Mapping[str, int], overrides: Sequence[str]
) -> dict[str, Any]:
    """Return the command list of `plan` as plain data, with the cycles that the event model gives it."""
    from sim.machine import run_program

    program = program_data(plan.program)
    return {
        "schema": SCHEMA,
        "tilewright_version": __version__,
        "workload": workload,
        "workload_sha256": workload_sha256,
        "arch": arch,
        "arch_sha256": plan.accelerator.sha256,
        "overrides": list(overrides),
        "dims": dict(dims),
        "cycles": run_program(plan.program, plan.accelerator).cycles,
        "program_sha256": program_digest(program),
        "program": program,
    }


def read_case(path: Path, seed: int = 0) -> EngineCase:
    """Return the case of a command list, integers drawn from `seed`; the trained ones of the `digits` network.

    Raises
    ------
    InputError
        If the file is missing, no command list, or for another version of the workload or the machine.
    MismatchError
        If the commands are not those that were lowered, or the event model does not give their cycles.
    """
    tree = _tree(path)
    subject = f"command list '{path}'"
    loaded = load_workload(tree["workload"], tree["dims"])
    from hw_models.description import load_accelerator
    from mappers.dram_layout import DramImage, make_layout
    from mappers.group import make_groups

    accelerator = load_accelerator(tree["arch"], tree["overrides"])
    for what, stated, found in (
        ("workload", tree["workload_sha256"], loaded.sha256),
        ("machine", tree["arch_sha256"], accelerator.sha256),
    ):
        if stated != found:
            raise InputError(f"{subject}: the {what} has changed since; write it again with: tilewright map --commands")
    digest = program_digest(tree["program"])
    if digest != tree["program_sha256"]:
        raise MismatchError(f"{subject}: its commands are not those that were lowered (SHA-256 {digest[:12]}...)")
    program = program_from(tree["program"], subject)
    layout = make_layout(loaded.network, -(-accelerator.core.array.input_format.bits // 8))
    image = DramImage(accelerator.dram.beat_bytes)
    addresses = {name: image.block(name, size) for name, size in layout.blocks.items()}
    groups = make_groups(loaded.network, layout, accelerator.core)
    constants = inputs = None
    if tree["workload"] == NAME:  # the one network whose integers are trained
        trained = load_digits()
        constants, batch = trained.constants, loaded.network.tensor("image").shape[0]
        inputs = {"image": np.resize(trained.images, (batch, *trained.images.shape[1:]))}
    case = case_of(loaded.network, accelerator, groups, layout, addresses, program, seed, constants, inputs)
    if case.predicted_cycles != tree["cycles"]:
        raise MismatchError(
            f"{subject}: the event model gives {case.predicted_cycles:,} cycles, the file states {tree['cycles']:,}"
        )
    return case


def verify_commands(path: Path, seed: int = 0, simulator: str = "icarus", repro: Path | None = None) -> VerifyReport:
    """Run a command list on event model and RTL; errors as `read_case`, `repro` as `verify_engine`."""
    from tilewright.verify_engine import report_cases

    case = read_case(path, seed)
    return report_cases([case], simulator, case.program.workload, repro)


def _tree(path: Path) -> dict[str, Any]:
    subject = f"command list '{path}'"
    if not path.is_file():
        raise InputError(f"{subject}: no such file; write one with: tilewright map WORKLOAD --commands FILE")
    if path.stat().st_size > MAX_BYTES:
        raise InputError(f"{subject}: {path.stat().st_size} bytes, bound is {MAX_BYTES}; this is no command list")
    try:
        tree = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise InputError(f"{subject}: not JSON ({error}); name the file that map --commands wrote") from None
    kinds = {
        "workload": str, "workload_sha256": str, "arch": str, "arch_sha256": str, "overrides": list, "dims": dict,
        "cycles": int, "program_sha256": str, "program": dict,
    }  # fmt: skip
    if not isinstance(tree, dict) or tree.get("schema") != SCHEMA:
        stated = tree.get("schema") if isinstance(tree, dict) else None
        raise InputError(f"{subject}: schema is {stated!r}, expected '{SCHEMA}'; name a command list")
    for key, kind in kinds.items():
        if not isinstance(tree.get(key), kind) or isinstance(tree[key], bool):
            raise InputError(f"{subject}: key '{key}' is missing or no {kind.__name__}; write it again")
    if not all(isinstance(each, str) for each in tree["overrides"]):
        raise InputError(f"{subject}: key 'overrides' holds something that is no text; write it again")
    if not all(isinstance(value, int) and not isinstance(value, bool) for value in tree["dims"].values()):
        raise InputError(f"{subject}: key 'dims' holds something that is no integer; write it again")
    return tree
