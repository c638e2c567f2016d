"""The cases by name, each a function that runs the machine and returns its rows; loaded when they run."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from tilewright.validation.rows import Row
from workloads.errors import InputError
from workloads.nearest import nearest

CASES: dict[str, tuple[str, str]] = {
    "systolic": ("tilewright.validation.case_systolic", "SCALE-Sim golden traces, exact"),
    "nvdla": ("tilewright.validation.case_nvdla", "NVDLA workbook per layer, and the primer's seven configurations"),
    "finn": ("tilewright.validation.case_finn", "FINN spatial pipelines: interval and first image"),
    "hls4ml": ("tilewright.validation.case_hls4ml", "hls4ml streaming CNN: interval and latency"),
    "eyeriss": ("tilewright.validation.case_eyeriss", "Eyeriss v1, AlexNet: time, PEs and traffic, mapping predicted"),
    "dpu": ("tilewright.validation.case_dpu", "Xilinx DPU B4096: slope over ResNet depth, VGG-16"),
    "sparse": ("tilewright.validation.case_sparse", "zero skipping: Eyeriss v2 PE, dual-side core"),
    "dram": ("tilewright.validation.case_dram", "DRAM micro-benchmarks: rates, bank groups, conflicts, idle latencies"),
    "gemmini": ("tilewright.validation.case_gemmini", "Gemmini: bound of ResNet-50, rates"),
    "arrays": ("tilewright.validation.case_arrays", "TPU v1, VTA, Gemmini: peaks and bounds"),
}


def run_cases(names: Sequence[str] = ()) -> dict[str, list[Row]]:
    """Run the cases `names` (all of them without names); return their rows by case.

    Raises
    ------
    InputError
        If a name is unknown.
    """
    for name in names:
        if name not in CASES:
            raise InputError(f"case '{name}' is unknown; use one of {', '.join(CASES)}{nearest(name, list(CASES))}")
    return {name: list(import_module(CASES[name][0]).rows()) for name in CASES if not names or name in names}
