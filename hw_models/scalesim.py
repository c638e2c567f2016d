"""SCALE-Sim's counting as one named convention: its configuration files, folds, cycles per fold and SRAM accesses.

The array is ``Ra x Ca``; a layer is ``M x K`` by ``K x N``. Folds never overlap and a partial fold costs a full one:

======== =============== =============== ======================
dataflow row folds       column folds    cycles per fold
======== =============== =============== ======================
os       ceil(M / Ra)    ceil(N / Ca)    K + Ra + Ca - 2
ws       ceil(K / Ra)    ceil(N / Ca)    M + 2 Ra + Ca - 2
is       ceil(K / Ra)    ceil(M / Ca)    N + 2 Ra + Ca - 2
======== =============== =============== ======================

This is a different machine from the generated cores (`hw_models.systolic`), whose next weights load while a fold
streams; figures of the two are never mixed. Stalls and DRAM traffic of that tool are not reproduced.
"""

from __future__ import annotations

import configparser
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from workloads.errors import InputError
from workloads.nearest import nearest
from workloads.scalesim_csv import ScaleSimLayer, ScaleSimTopology

ScaleDataflow = Literal["os", "ws", "is"]
CONVENTION = "scale-sim-3"
MAX_BYTES = 1 << 20
MAX_SIDE = 1 << 20
_ARCHITECTURE = "architecture_presets"


@dataclass(frozen=True, slots=True)
class ScaleSimConfig:
    """What the counting needs of a ``.cfg`` file.

    Parameters
    ----------
    rows, cols : int
        ``ArrayHeight`` and ``ArrayWidth``.
    sparse : bool
        ``SparsitySupport``: rows with N:M other than 1:1 are then refused, as their folds depend on drawn indices.
    not_counted : tuple of str
        Keys of the file that compute cycles and SRAM accesses do not depend on, as ``section.key``.
    """

    run_name: str
    rows: int
    cols: int
    dataflow: ScaleDataflow
    sparse: bool
    not_counted: tuple[str, ...]

    def __post_init__(self) -> None:
        for key, value in (("ArrayHeight", self.rows), ("ArrayWidth", self.cols)):
            if not 1 <= value <= MAX_SIDE:
                raise InputError(f"config: {key} is {value}, bound is 1..{MAX_SIDE}; correct it")


@dataclass(frozen=True, slots=True)
class ScaleSimCount:
    """Counts of one layer on one array."""

    row_folds: int
    col_folds: int
    cycles_per_fold: int
    used_pes: int
    pes: int
    ifmap_reads: int
    filter_reads: int
    ofmap_writes: int
    printed_ofmap_writes: int

    @property
    def folds(self) -> int:
        """Value of the number of folds."""
        return self.row_folds * self.col_folds

    @property
    def compute_cycles(self) -> int:
        """Value of folds times cycles per fold."""
        return self.folds * self.cycles_per_fold

    @property
    def printed_total_cycles(self) -> int:
        """Value that the tool prints as total cycles of a run without stalls: the index of the last cycle."""
        return self.compute_cycles - 1

    @property
    def mapping_efficiency(self) -> float:
        """Value of the used area over folds times the array."""
        return self.used_pes / (self.folds * self.pes)


def count(dataflow: ScaleDataflow, rows: int, cols: int, m: int, k: int, n: int) -> ScaleSimCount:
    """Return the counts of an `m` x `k` x `n` layer on a `rows` x `cols` array.

    Examples
    --------
    >>> count("ws", 32, 32, 3025, 363, 96).compute_cycles
    112284
    """
    over_rows = m if dataflow == "os" else k
    over_cols = m if dataflow == "is" else n
    row_folds, col_folds = -(-over_rows // rows), -(-over_cols // cols)
    if dataflow == "os":
        cycles = k + rows + cols - 2
        reads = (col_folds * m * k, row_folds * k * n, m * n)
    elif dataflow == "ws":
        cycles = m + 2 * rows + cols - 2
        reads = (col_folds * m * k, k * n, row_folds * m * n)
    else:
        cycles = n + 2 * rows + cols - 2
        reads = (m * k, col_folds * k * n, row_folds * m * n)
    spurious = row_folds * col_folds * (rows + cols) if dataflow == "os" else 0
    return ScaleSimCount(row_folds, col_folds, cycles, over_rows * over_cols, rows * cols, *reads, reads[2] + spurious)


def scalesim_report(config: ScaleSimConfig, topology: ScaleSimTopology) -> list[dict[str, Any]]:
    """Return one dictionary per layer, in table order, ready for JSON.

    Raises
    ------
    InputError
        If `config` asks for sparsity and a layer has a ratio other than 1:1.
    """
    return [_row(config, layer) for layer in topology.layers]


def report_notes(config: ScaleSimConfig, topology: ScaleSimTopology) -> tuple[str, ...]:
    """Return what was skipped or does not count, for people."""
    notes = list(topology.notes)
    dense = [layer.name for layer in topology.layers if layer.ratio != (1, 1)]
    if dense and not config.sparse:
        notes.append(f"N:M column has no effect without SparsitySupport: {', '.join(dense)}")
    if config.not_counted:
        notes.append(f"keys without effect on compute cycles and SRAM accesses: {', '.join(config.not_counted)}")
    return tuple(notes)


def _row(config: ScaleSimConfig, layer: ScaleSimLayer) -> dict[str, Any]:
    if config.sparse and layer.ratio[0] != layer.ratio[1]:
        raise InputError(
            f"layer '{layer.name}' (line {layer.line}): sparsity is {layer.ratio[0]}:{layer.ratio[1]}, bound is 1:1 "
            f"under SparsitySupport, whose folds depend on drawn indices; set SparsitySupport : false or write 1:1"
        )
    c = count(config.dataflow, config.rows, config.cols, layer.m, layer.k, layer.n)
    return {
        "name": layer.name,
        "m": layer.m,
        "k": layer.k,
        "n": layer.n,
        "macs": layer.macs,
        "dataflow": config.dataflow,
        "row_folds": c.row_folds,
        "col_folds": c.col_folds,
        "folds": c.folds,
        "cycles_per_fold": c.cycles_per_fold,
        "compute_cycles": c.compute_cycles,
        "printed_total_cycles": c.printed_total_cycles,
        "mapping_efficiency": c.mapping_efficiency,
        "utilisation": layer.macs / (c.compute_cycles * c.pes),
        "sram_ifmap_reads": c.ifmap_reads,
        "sram_filter_reads": c.filter_reads,
        "sram_ofmap_writes": c.ofmap_writes,
        "printed_sram_ofmap_writes": c.printed_ofmap_writes,
    }


def read_cfg(path: str | Path) -> ScaleSimConfig:
    """Read a SCALE-Sim ``.cfg`` file.

    Raises
    ------
    InputError
        If the file cannot be read or parsed, or a needed key is missing or out of bounds.
    """
    try:
        with Path(path).open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"config '{path}': cannot be read ({error.strerror}); check the path") from error
    if len(raw) > MAX_BYTES:
        raise InputError(f"config '{path}': has more than {MAX_BYTES} bytes; shorten it")
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(raw.decode("utf-8-sig"), str(path))
    except UnicodeDecodeError as error:
        raise InputError(f"config '{path}': byte {error.start} is not UTF-8; save the file as UTF-8") from error
    except configparser.Error as error:
        detail = " ".join(str(error).split())
        raise InputError(f"config '{path}': not an ini file ({detail}); correct it") from error
    if not parser.has_section(_ARCHITECTURE):
        hint = nearest(_ARCHITECTURE, parser.sections())
        raise InputError(f"config '{path}': section [{_ARCHITECTURE}] is missing{hint or '; add it'}")
    return _config(str(path), parser)


def _config(origin: str, parser: configparser.ConfigParser) -> ScaleSimConfig:
    counted = {(_ARCHITECTURE, key) for key in ("arrayheight", "arraywidth", "dataflow")}
    counted |= {("general", "run_name"), ("sparsity", "sparsitysupport"), ("run_presets", "interfacebandwidth")}
    dataflow = _value(origin, parser, "Dataflow").lower()
    if dataflow not in ("os", "ws", "is"):
        raise InputError(f"config '{origin}': Dataflow is '{dataflow:.40}', bound is os, ws, is; choose one")
    mode = parser.get("run_presets", "InterfaceBandwidth", fallback="CALC").upper()
    if mode not in ("CALC", "USER"):
        raise InputError(f"config '{origin}': InterfaceBandwidth is '{mode:.40}', bound is CALC, USER; choose one")
    sparse = parser.get("sparsity", "SparsitySupport", fallback="false").lower()
    if sparse not in ("true", "false"):
        raise InputError(f"config '{origin}': SparsitySupport is '{sparse:.40}', bound is true, false; choose one")
    others = [
        f"{section}.{key}" for section in parser.sections() for key in parser[section] if (section, key) not in counted
    ]
    if mode == "USER":
        others.append("run_presets.interfacebandwidth (USER: stalls are not counted)")
    return ScaleSimConfig(
        run_name=parser.get("general", "run_name", fallback=Path(origin).stem).strip().strip('"'),
        rows=_side(origin, parser, "ArrayHeight"),
        cols=_side(origin, parser, "ArrayWidth"),
        dataflow=dataflow,  # type: ignore[arg-type]  # checked above
        sparse=sparse == "true",
        not_counted=tuple(others),
    )


def _value(origin: str, parser: configparser.ConfigParser, key: str) -> str:
    if not parser.has_option(_ARCHITECTURE, key):
        hint = nearest(key.lower(), parser.options(_ARCHITECTURE))
        raise InputError(f"config '{origin}': key {key} is missing in [{_ARCHITECTURE}]{hint or '; add it'}")
    return parser.get(_ARCHITECTURE, key).strip()


def _side(origin: str, parser: configparser.ConfigParser, key: str) -> int:
    text = _value(origin, parser, key)
    if not text.isdecimal() or len(text) > 12 or not 1 <= int(text) <= MAX_SIDE:
        raise InputError(f"config '{origin}': {key} is '{text:.40}', bound is an integer of 1..{MAX_SIDE}; correct it")
    return int(text)
