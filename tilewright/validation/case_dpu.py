"""Xilinx DPU B4096: ResNet depth slopes, ResNet-50 and VGG-16 on an array of pixels, channels and kernels."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from hw_models.dot_array import DotArray
from mappers.passes.dot_array import plan_dot_array
from mappers.passes.plan import shapes_of
from sim.passes import run_passes
from tilewright.validation.figures import Figures, load_figures
from tilewright.validation.rows import Row
from workloads.zoo import load

NOT_MODELLED = (
    "host and driver (taken off the published times), instruction fetch, DDR efficiency; every image goes through "
    "memory; array shape and ports are recalled"
)


THREADS = "instruction fetch, DDR efficiency; every image goes through memory; array shape and ports are recalled"
DEPTHWISE = "the engine for depthwise layers: here the array takes one channel and one kernel a cycle; " + THREADS


def dot_array(row: dict[str, Any]) -> DotArray:
    """Return the machine of a figures file."""
    size = int(row["buffer_kib"]) * 1024
    return DotArray(
        name=row["name"],
        clock_mhz=Fraction(str(row["clock_mhz"])),
        pixels=row["pixels"],
        channels=row["channels"],
        kernels=row["kernels"],
        buffer_bytes=size,
        bank_bytes=size // int(row["banks"]),
        memory_bytes_per_cycle=Fraction(str(row["memory_bytes_per_cycle"])),
        align_elements=int(row["channels"]),
        overlap=bool(row.get("overlap", True)),
    )


def network_ms(name: str, array: DotArray) -> float:
    """Return the time of built-in network `name`, layer after layer in the event model, in ms."""
    cycles = sum(run_passes(plan_dot_array(shape, array)).cycles for shape in shapes_of(load(name)))
    return cycles / float(array.clock_mhz) / 1e3


def rows() -> list[Row]:
    """Return the rows."""
    figures = load_figures("dpu")
    array = dot_array(figures.data["machine"])
    ms = {name: network_ms(name, array) for name in ("resnet50", "resnet101", "resnet152", "vgg16")}
    machine = "DPU B4096, 300 MHz"
    compared = (
        ("slope 50-101", "ResNet-101 less ResNet-50", ms["resnet101"] - ms["resnet50"]),
        ("slope 101-152", "ResNet-152 less ResNet-101", ms["resnet152"] - ms["resnet101"]),
        ("resnet50", "ResNet-50, 8.2 GOP", ms["resnet50"]),
        ("vgg16", "VGG-16", ms["vgg16"]),
    )
    table = [
        figures.row(key, machine, workload, "time", ours, not_modelled=NOT_MODELLED) for key, workload, ours in compared
    ]
    return table + _several_threads(figures, array, ms)


def _several_threads(figures: Figures, array: DotArray, ms: dict[str, float]) -> list[Row]:
    """Return frames per second of one core whose host works beside it: nothing to take off.

    Networks of depthwise layers do not gate: the core has an engine of its own for these, which is not described.
    """
    rows_ = []
    for name, workload in (
        ("resnet50", "ResNet-50, 8.2 GOP"),
        ("resnet101", "ResNet-101"),
        ("resnet152", "ResNet-152"),
        ("vgg16", "VGG-16"),
        ("mobilenet_v1", "MobileNet V1"),
        ("mobilenet_v2", "MobileNet V2"),
    ):
        depthwise = name.startswith("mobilenet")
        took = ms[name] if name in ms else network_ms(name, array)
        rows_.append(
            figures.row(
                f"kv260 {name}",
                "DPU B4096, KV260, several threads",
                workload,
                "rate",
                1000 / took,
                gates=not depthwise,
                not_modelled=DEPTHWISE if depthwise else THREADS,
            )
        )
    return rows_
