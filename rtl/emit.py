"""Core parameters to SystemVerilog: same parameters, same bytes."""

from __future__ import annotations

from functools import singledispatch
from pathlib import Path

from hw_models.bins import BinsParams
from hw_models.dequantise import DequantParams
from hw_models.dot import DotParams
from hw_models.fabric import ArbiterParams, FifoParams, SkidParams
from hw_models.fp16 import FP16Params
from hw_models.layer_engine import EngineParams
from hw_models.pool import PoolParams
from hw_models.requant import RequantParams
from hw_models.scratchpad import BankedParams
from hw_models.shift_read import ShiftReadParams
from hw_models.systolic import SystolicParams
from hw_models.thresholds import ThresholdParams
from hw_models.topk import TopKParams
from hw_models.zero_point import ZeroPointParams
from hw_models.zero_skip import SkipParams
from rtl.bins_top import bins_sources
from rtl.dequant_top import dequant_sources
from rtl.dot_top import dot_sources
from rtl.engine_top import engine_sources
from rtl.fabric_top import arbiter_sources, fifo_sources, skid_sources
from rtl.fp16_top import fp16_sources
from rtl.pool_top import pool_sources
from rtl.requant_top import requant_sources
from rtl.scratchpad_top import banked_sources, shift_read_sources
from rtl.skip_top import skip_sources
from rtl.systolic_top import systolic_sources
from rtl.thresholds_top import thresholds_sources
from rtl.topk_top import topk_sources
from rtl.zero_point_top import zero_point_sources
from workloads.errors import InputError
from workloads.whole_file import write_whole


@singledispatch
def emit(params: object) -> dict[str, str]:
    """Return the sources of a core, file name to text, in compile order; the file list ``NAME.f`` comes last.

    The top module has the core's name.

    Raises
    ------
    InputError
        If no generator is registered for the type of `params`.
    """
    raise InputError(
        f"rtl: no generator for parameters of type {type(params).__name__}; known: "
        f"{', '.join(sorted(kind.__name__ for kind in emit.registry if kind is not object))}"
    )


@emit.register
def _(params: SystolicParams) -> dict[str, str]:
    return with_file_list(params.name, systolic_sources(params))


@emit.register
def _(params: DotParams) -> dict[str, str]:
    return with_file_list(params.name, dot_sources(params))


@emit.register
def _(params: SkipParams) -> dict[str, str]:
    return with_file_list(params.name, skip_sources(params))


@emit.register
def _(params: BinsParams) -> dict[str, str]:
    return with_file_list(params.name, bins_sources(params))


@emit.register
def _(params: DequantParams) -> dict[str, str]:
    return with_file_list(params.name, dequant_sources(params))


@emit.register
def _(params: TopKParams) -> dict[str, str]:
    return with_file_list(params.name, topk_sources(params))


@emit.register
def _(params: FP16Params) -> dict[str, str]:
    return with_file_list(params.name, fp16_sources(params))


@emit.register
def _(params: ZeroPointParams) -> dict[str, str]:
    return with_file_list(params.name, zero_point_sources(params))


@emit.register
def _(params: FifoParams) -> dict[str, str]:
    return with_file_list(params.name, fifo_sources(params))


@emit.register
def _(params: SkidParams) -> dict[str, str]:
    return with_file_list(params.name, skid_sources(params))


@emit.register
def _(params: ArbiterParams) -> dict[str, str]:
    return with_file_list(params.name, arbiter_sources(params))


@emit.register
def _(params: BankedParams) -> dict[str, str]:
    return with_file_list(params.name, banked_sources(params))


@emit.register
def _(params: ShiftReadParams) -> dict[str, str]:
    return with_file_list(params.name, shift_read_sources(params))


@emit.register
def _(params: EngineParams) -> dict[str, str]:
    return with_file_list(params.name, engine_sources(params))


@emit.register
def _(params: RequantParams) -> dict[str, str]:
    return with_file_list(params.name, requant_sources(params))


@emit.register
def _(params: ThresholdParams) -> dict[str, str]:
    return with_file_list(params.name, thresholds_sources(params))


@emit.register
def _(params: PoolParams) -> dict[str, str]:
    return with_file_list(params.name, pool_sources(params))


def with_file_list(name: str, sources: dict[str, str]) -> dict[str, str]:
    """Return `sources` and their file list ``NAME.f``, which simulators and synthesis tools read with ``-f``."""
    return {**sources, f"{name}.f": "".join(f"{file}\n" for file in sources)}


def write(params: object, out_dir: Path) -> tuple[Path, ...]:
    """Write the sources of a core into `out_dir`, which is made if missing, and return their paths.

    Raises
    ------
    InputError
        If `out_dir` is not a folder.
    """
    sources = emit(params)
    if out_dir.exists() and not out_dir.is_dir():
        raise InputError(f"rtl: output '{out_dir}' is not a folder; choose another path")
    out_dir.mkdir(parents=True, exist_ok=True)
    paths = tuple(out_dir / name for name in sources)
    for path, text in zip(paths, sources.values(), strict=True):
        write_whole(path, text)
    return paths
