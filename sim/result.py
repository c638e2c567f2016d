"""The outcome of a simulation and its file format, schema ``tilewright.result/1`` (contract §5).

Plain data: numbers, strings, lists and dictionaries. Cycles are of the manifest's reference clock, energies in pJ, one
MAC is one MAC. Reading and writing are deterministic: the same result gives the same bytes.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workloads.errors import InputError
from workloads.whole_file import write_whole

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = "tilewright.result/1"


@dataclass(frozen=True, slots=True)
class LayerAnnotation:
    """What the mapper knows of a layer and the event model does not.

    Parameters
    ----------
    mapping : dict or None
        The loop nest, as plain data; None for layers that were not mapped.
    proven_optimal : bool or None
        Whether the mapping is proven optimal under the mapper's named cost model; None where nothing was mapped.
    gap : float or None
        Relative distance to the mapper's bound.
    analytic_cycles : int or None
        Closed form for the same mapping.
    core : str
        Where the layer runs.
    """

    mapping: dict[str, Any] | None
    proven_optimal: bool | None
    gap: float | None
    analytic_cycles: int | None
    core: str


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums of the run; `utilisation` is useful MACs over cycles times PEs, `peak_scratchpad_bytes` may be unknown."""

    cycles: int
    time_s: float
    macs: int
    energy_pj: float
    dram_read_bytes: int
    dram_write_bytes: int
    utilisation: float
    peak_scratchpad_bytes: int | None


@dataclass(frozen=True, slots=True)
class Bounds:
    """Lower bounds of the cycles of this command list.

    Parameters
    ----------
    mac_cycles : int
        Useful MACs over PEs, rounded up.
    compute_cycles : int
        First to last operand of every array command, or `mac_cycles` if that is more.
    dram_cycles : int
        Beats of all transfers on the bus.
    vector_cycles : int
        Time of all vector commands.
    lower_bound_cycles : int
        The greatest of these.
    """

    mac_cycles: int
    compute_cycles: int
    dram_cycles: int
    vector_cycles: int
    lower_bound_cycles: int


@dataclass(frozen=True, slots=True)
class LayerResult:
    """One layer group; `cycles` is its part of the run, `start_cycle` may lie in an earlier layer's part.

    `utilisation` is over the layer's part, extended back to its first array command where that lies in an earlier part.
    """

    name: str
    op: str
    core: str
    fused: tuple[str, ...]
    placement: str
    dims: dict[str, int]
    macs: int
    start_cycle: int
    end_cycle: int
    cycles: int
    compute_cycles: int
    stall_cycles: dict[str, int]
    analytic_cycles: int | None
    energy_pj: dict[str, float]
    traffic_bytes: dict[str, dict[str, dict[str, int]]]
    utilisation: float
    mapping: dict[str, Any] | None
    proven_optimal: bool | None
    gap: float | None


@dataclass(frozen=True, slots=True)
class Check:
    """One physical law the run was held to (§3.9)."""

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Result:
    """A simulation's outcome; see the module docstring."""

    manifest: dict[str, Any]
    totals: Totals
    bounds: Bounds
    layers: tuple[LayerResult, ...]
    placement: dict[str, Any]
    checks: tuple[Check, ...] = ()
    not_modelled: tuple[str, ...] = field(default=())
    dram: dict[str, Any] | None = None
    """What a DRAM with timing did; None, and absent from the file, for a channel of fixed latency."""
    pe_regions: dict[str, Any] | None = None
    """Useful MACs of blocks of PEs per layer (`sim.pe_map.PERegions`); None, and absent from the file, if not known."""

    def to_json(self) -> dict[str, Any]:
        """Return the result as plain data of schema ``tilewright.result/1``."""
        data = asdict(self)
        for layer in data["layers"]:
            layer["fused"] = list(layer["fused"])
        for name in ("dram", "pe_regions"):
            if data[name] is None:
                del data[name]
        return {
            "schema": SCHEMA,
            **data,
            "layers": list(data["layers"]),
            "checks": list(data["checks"]),
            "not_modelled": list(data["not_modelled"]),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Result:
        """Return the result that `to_json` gave; keys added by later versions are dropped.

        Raises
        ------
        InputError
            If the schema is another one or a key is missing.
        """
        schema = data.get("schema")
        if schema != SCHEMA:
            raise InputError(f"result: schema is {schema!r}, expected '{SCHEMA}'; name a file that a simulation wrote")
        try:
            return cls(
                manifest=data["manifest"],
                totals=Totals(**_known(Totals, data["totals"])),
                bounds=Bounds(**_known(Bounds, data["bounds"])),
                layers=tuple(
                    LayerResult(**(_known(LayerResult, layer) | {"fused": tuple(layer["fused"])}))
                    for layer in data["layers"]
                ),
                placement=data["placement"],
                checks=tuple(Check(**_known(Check, check)) for check in data["checks"]),
                not_modelled=tuple(data["not_modelled"]),
                dram=data.get("dram"),
                pe_regions=data.get("pe_regions"),
            )
        except (KeyError, TypeError) as error:
            raise InputError(f"result: incomplete ({error}); simulate again to write a whole one") from error

    def write_json(self, path: Path | str) -> None:
        """Write the result to `path`, whole or not at all."""
        write_whole(path, json.dumps(self.to_json(), indent=1, ensure_ascii=False, allow_nan=False) + "\n")

    def to_frame(self) -> pd.DataFrame:
        """Return one row per layer; stall and energy parts become columns such as ``stall_vector_cycles``."""
        import pandas as pd

        rows = []
        for layer in self.layers:
            row: dict[str, Any] = {
                key: getattr(layer, key)
                for key in ("name", "op", "core", "macs", "start_cycle", "end_cycle", "cycles", "compute_cycles")
            }
            row |= {f"stall_{cause}_cycles": n for cause, n in layer.stall_cycles.items()}
            row |= {f"energy_{component}_pj": pj for component, pj in layer.energy_pj.items()}
            dram = layer.traffic_bytes["dram"].values()
            row |= {f"dram_{way}_bytes": sum(flow[way] for flow in dram) for way in ("read", "write")}
            row |= {"utilisation": layer.utilisation, "analytic_cycles": layer.analytic_cycles}
            rows.append(row | {"proven_optimal": layer.proven_optimal, "gap": layer.gap})
        return pd.DataFrame(rows)


def read_json(path: Path | str) -> Result:
    """Return the result in the file `path`.

    Raises
    ------
    InputError
        If the file cannot be read or is no result.
    """
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"result '{path}': cannot be read ({error}); name a file that a simulation wrote") from error
    if not isinstance(data, dict):
        raise InputError(f"result '{path}': is no JSON object; name a file that a simulation wrote")
    return Result.from_json(data)


def _refuse_constant(text: str) -> float:
    raise ValueError(f"{text} is not a JSON number")


def _known(kind: type, values: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of `kind` in `values`; missing ones raise `KeyError`."""
    return {f.name: values[f.name] for f in fields(kind)}
