"""The cores that can be generated and verified, by name, and those of a machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from workloads.errors import InputError
from workloads.nearest import nearest

if TYPE_CHECKING:
    from hw_models.layer_engine import EngineParams
    from hw_models.systolic import SystolicParams


@dataclass(frozen=True, slots=True)
class CoreRow:
    """One line of ``tilewright list cores``.

    Parameters
    ----------
    params : object
        Parameter object of the core at its default size.
    """

    name: str
    summary: str
    source: str
    params: object

    @property
    def sized(self) -> bool:
        """Value telling whether ``--rows`` and ``--cols`` set the core's size."""
        from hw_models.systolic import SystolicParams

        return isinstance(self.params, SystolicParams)


@lru_cache(maxsize=1)
def list_cores() -> tuple[CoreRow, ...]:
    """Return the cores in a fixed order."""
    from tilewright.catalogue import catalogue

    return tuple(CoreRow(str(getattr(p, "name")), summary, source, p) for p, summary, source in catalogue())  # noqa: B009


def core_row(name: str) -> CoreRow:
    """Return the core called `name`; name the nearest one when there is none."""
    for row in list_cores():
        if row.name == name:
            return row
    hint = nearest(name, [row.name for row in list_cores()])
    raise InputError(f"core '{name}' is unknown{hint or '; run: tilewright list cores'}")


def core_params(name: str, rows: int | None = None, cols: int | None = None, depth: int | None = None) -> object:
    """Return the parameter object of core `name`.

    Parameters
    ----------
    rows, cols : int, optional
        Size of a systolic array, in PEs; 4 x 4 by default.
    depth : int, optional
        Result vectors that its accumulator memory holds.

    Raises
    ------
    InputError
        If the core is unknown, or a size is given for one that has none.
    """
    from dataclasses import replace

    from hw_models.systolic import SystolicParams

    params = core_row(name).params
    given = {"rows": rows, "cols": cols, "accumulator_depth": depth}
    changes: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    if isinstance(params, SystolicParams):
        return replace(params, **changes)
    if changes:
        raise InputError(f"core '{name}': {', '.join(changes)} size systolic arrays only; leave them out")
    return params


def is_core(name: str) -> bool:
    """Tell whether `name` is a core of the list."""
    return any(row.name == name for row in list_cores())


def cores_of_machine(arch: str, overrides: Sequence[str] = ()) -> tuple[SystolicParams | EngineParams, ...]:
    """Return the cores of a machine at its own size: the layer engine, or else its array cores, one per dataflow.

    Raises
    ------
    InputError
        If `arch` is neither a core nor a machine, or its array has no generated core.
    """
    from hw_models.description import list_accelerators, load_accelerator
    from hw_models.layer_engine import engine_params
    from hw_models.systolic import SystolicParams
    from hw_models.systolic_nm import SystolicNMParams
    from workloads.formats import Int

    presets = [row.name for row in list_accelerators()]
    if not arch.endswith((".yaml", ".yml")) and arch not in presets:
        hint = nearest(arch, [*presets, *(row.name for row in list_cores())])
        raise InputError(f"'{arch}' is neither a core nor a machine{hint or '; run: tilewright list cores'}")
    machine = load_accelerator(arch, overrides)
    array = machine.core.array
    try:
        return (engine_params(machine),)
    except InputError:
        if array.reduction_unroll == "channel":
            raise
        # its arrays may be built all the same
    if array.kind != "systolic" or array.reduction_unroll != "window":
        raise InputError(
            f"accelerator '{arch}': no RTL is generated for its array ({array.kind}, {array.reduction_unroll} unroll); "
            f"use a systolic array with window unroll, such as edge_int8, or a machine like engine_8x8"
        )
    sums = Int(machine.core.accumulator_bytes * 8)
    depth = machine.core.accumulator.half_bytes // (array.cols * machine.core.accumulator_bytes)
    sizes = (array.rows, array.cols, array.input_format, array.weight_format, sums, depth)
    flows = [flow for flow in array.dataflows if flow != "rs"]
    if array.sparsity is not None:
        return tuple(SystolicNMParams(flow, *sizes, array.sparsity.kept, array.sparsity.group) for flow in flows)
    return tuple(SystolicParams(flow, *sizes) for flow in flows)
