"""The cores that can be generated and verified, by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from workloads.errors import InputError
from workloads.nearest import nearest

if TYPE_CHECKING:
    from hw_models.systolic import SystolicParams


@dataclass(frozen=True, slots=True)
class CoreRow:
    """One line of ``tilewright list cores``."""

    name: str
    summary: str
    source: str
    dataflow: Literal["ws", "os"]


CORES = (
    CoreRow(
        "systolic_ws_int8",
        "weight-stationary systolic array, int8 x int8 -> int32, shadow weights, accumulator memory",
        "own design; fold rule in docs/architecture.md section 3",
        "ws",
    ),
    CoreRow(
        "systolic_os_int8",
        "output-stationary systolic array, int8 x int8 -> int32, results drained behind the next fold",
        "own design; fold rule in docs/architecture.md section 3",
        "os",
    ),
)


def list_cores() -> tuple[CoreRow, ...]:
    """Return the cores in a fixed order."""
    return CORES


def core_row(name: str) -> CoreRow:
    """Return the core called `name`; name the nearest one when there is none."""
    for row in CORES:
        if row.name == name:
            return row
    hint = nearest(name, [row.name for row in CORES])
    raise InputError(f"core '{name}' is unknown{hint or '; run: tilewright list cores'}")


def core_params(name: str, rows: int, cols: int, accumulator_depth: int) -> SystolicParams:
    """Return the parameter object of core `name`.

    Parameters
    ----------
    rows, cols : int
        Size of the array, in PEs.
    accumulator_depth : int
        Result vectors that the accumulator memory holds.
    """
    from hw_models.systolic import SystolicParams
    from workloads.formats import Int

    return SystolicParams(
        dataflow=core_row(name).dataflow,
        rows=rows,
        cols=cols,
        input_format=Int(8),
        weight_format=Int(8),
        accumulator_format=Int(32),
        accumulator_depth=accumulator_depth,
    )


def is_core(name: str) -> bool:
    """Tell whether `name` is a core of the list."""
    return any(row.name == name for row in CORES)


def cores_of_machine(arch: str, overrides: Sequence[str] = ()) -> tuple[SystolicParams, ...]:
    """Return the array cores of a machine, one per dataflow, at its own size and formats.

    Raises
    ------
    InputError
        If `arch` is neither a core nor a machine, or its array has no generated core.
    """
    from hw_models.description import list_accelerators, load_accelerator
    from hw_models.systolic import SystolicParams
    from workloads.formats import Int

    presets = [row.name for row in list_accelerators()]
    if not arch.endswith((".yaml", ".yml")) and arch not in presets:
        hint = nearest(arch, [*presets, *(row.name for row in CORES)])
        raise InputError(f"'{arch}' is neither a core nor a machine{hint or '; run: tilewright list cores'}")
    machine = load_accelerator(arch, overrides)
    array = machine.core.array
    if array.kind != "systolic" or array.reduction_unroll != "window":
        raise InputError(
            f"accelerator '{arch}': no RTL is generated for its array ({array.kind}, {array.reduction_unroll} unroll); "
            f"use a systolic array with window unroll, such as edge_int8"
        )
    sums = Int(machine.core.accumulator_bytes * 8)
    depth = machine.core.accumulator.half_bytes // (array.cols * machine.core.accumulator_bytes)
    return tuple(
        SystolicParams(flow, array.rows, array.cols, array.input_format, array.weight_format, sums, depth)
        for flow in array.dataflows
        if flow in ("ws", "os")
    )
