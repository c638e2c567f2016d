"""Xilinx DPU: depth slopes, whole networks, depthwise layers and a smaller core, on an array of pixels and channels."""

from __future__ import annotations

from dataclasses import replace
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
    "memory; ports are recalled"
)
THREADS = "instruction fetch, DDR efficiency; every image goes through memory; ports are recalled"
DEPTHWISE = (
    "the host, which the published ratio holds on both sides; depthwise layers and the array take turns; every image "
    "goes through memory; ports are recalled"
)
SCALING = (
    "the host, which the published ratio holds on both sides; the small board's memory: both cores have the ports' "
    "rate here; its buffer has 22 banks for 32 by our choice"
)


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
        depthwise_pixels=int(row.get("depthwise_pixels", 0)),
    )


def network_ms(name: str, array: DotArray) -> float:
    """Return the time of built-in network `name`, layer after layer in the event model, in ms."""
    cycles = sum(run_passes(plan_dot_array(shape, array)).cycles for shape in shapes_of(load(name)))
    return cycles / float(array.clock_mhz) / 1e3


def rows() -> list[Row]:
    """Return the rows."""
    figures = load_figures("dpu")
    array = dot_array(figures.data["machine"])
    networks = ("resnet50", "resnet101", "resnet152", "vgg16", "mobilenet_v1", "mobilenet_v2")
    ms = {name: network_ms(name, array) for name in networks}
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
    return table + _depthwise(figures, ms) + _scaling(figures, array) + _several_threads(figures, ms)


def _depthwise(figures: Figures, ms: dict[str, float]) -> list[Row]:
    """Return the utilisation of networks of depthwise layers over that of ResNet-50."""
    rate = {name: float(gop) / ms[name] for name, gop in figures.data["gop"].items()}
    return [
        figures.row(
            f"depthwise {name}",
            "DPU B4096, 300 MHz",
            f"{workload} over ResNet-50",
            "utilisation",
            rate[name] / rate["resnet50"],
            not_modelled=DEPTHWISE,
        )
        for name, workload in (("mobilenet_v1", "MobileNet V1"), ("mobilenet_v2", "MobileNet V2"))
    ]


def _scaling(figures: Figures, array: DotArray) -> list[Row]:
    """Return the time of a smaller core over that of the large one."""
    large = replace(array, clock_mhz=Fraction(str(figures.data["large_clock_mhz"])))
    ratio = network_ms("resnet50", dot_array(figures.data["small"])) / network_ms("resnet50", large)
    return [figures.row("scaling", "DPU B1600 over B4096", "ResNet-50", "time", ratio, not_modelled=SCALING)]


def _several_threads(figures: Figures, ms: dict[str, float]) -> list[Row]:
    """Return frames per second of one core whose host works beside it: nothing to take off.

    MobileNets do not gate: their layers are so short that what lies between layers, which is not modelled, counts.
    """
    return [
        figures.row(
            f"kv260 {name}",
            "DPU B4096, KV260, several threads",
            workload,
            "rate",
            1000 / ms[name],
            gates=not name.startswith("mobilenet"),
            not_modelled=THREADS,
        )
        for name, workload in (
            ("resnet50", "ResNet-50, 8.2 GOP"),
            ("resnet101", "ResNet-101"),
            ("resnet152", "ResNet-152"),
            ("vgg16", "VGG-16"),
            ("mobilenet_v1", "MobileNet V1"),
            ("mobilenet_v2", "MobileNet V2"),
        )
    ]
