"""NVDLA: the workbook's ResNet-50 layer by layer, and the primer's seven configurations."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

from hw_models.dot_array import DotArray
from mappers.passes.dot_array import plan_dot_array
from mappers.passes.plan import ConvShape, shapes_of
from sim.passes import run_passes
from tilewright.validation.figures import Figures, load_figures
from tilewright.validation.rows import Row

WORKBOOK = (
    "the workbook is a roofline per layer, compared with our closed form; it counts the second operand of the last "
    "block at its pooled size, and so does the layer table"
)
KIB_PER_KB = Fraction(1024, 1000)
"""The workbook divides KiB by GB/s: its GB/s at 1 GHz are 1.024 bytes per cycle."""
EVENT = "our passes also pay the first load, the last store and ragged stripes, which the workbook leaves out"
WHOLE = "layers are those of our own zoo, with activation, sum and pooling fused where the network has them"
BRANCHES = "every branch of an inception block reads its input for itself"
PRIMER = "configurations of 1024, 512 and 256 MACs have a recalled shape, those of 128 and 32 one of our choice"


def _array(name: str, row: dict[str, Any]) -> DotArray:
    size = int(row["buffer_kib"]) * 1024
    return DotArray(
        name=name,
        clock_mhz=Fraction(1000),
        pixels=1,
        channels=row["channels"],
        kernels=row["kernels"],
        buffer_bytes=size,
        bank_bytes=size // int(row.get("banks", 16)),
        memory_bytes_per_cycle=Fraction(str(row["memory_gb_per_s"])) * KIB_PER_KB,
        align_elements=16,
        strided="space_to_depth",
        winograd=bool(row["winograd"]),
    )


def layer_shapes(figures: Figures) -> list[tuple[ConvShape, int, str]]:
    """Return the workbook's layers, each with its published cycles and bound."""
    shapes = []
    for name, c, h, w, k, r, s, stride, high, wide, operand, cycles, bound in figures.data["layers"]:
        out = (-(-h // stride), -(-w // stride))
        shape = ConvShape(name, 1, 1, c, k, h, w, r, s, stride, *out, high, wide, operand)
        shapes.append((shape, int(cycles), bound))
    return shapes


def rows() -> list[Row]:
    """Return the rows."""
    figures = load_figures("nvdla")
    layers = layer_shapes(figures)
    array = _array("NVDLA workbook", figures.data["workbook_machine"])
    plans = [plan_dot_array(shape, array) for shape, _, _ in layers]
    out = [
        figures.row(
            "layer", "NVDLA 2048", f"ResNet-50 {shape.name}", "cycles", plan.bound_cycles, published=cycles,
            not_modelled=WORKBOOK,
        )
        for plan, (shape, cycles, _) in zip(plans, layers, strict=True)
    ]  # fmt: skip
    total = sum(plan.bound_cycles for plan in plans)
    out.append(figures.row("resnet50", "NVDLA 2048", "ResNet-50", "time", total / 1e6, not_modelled=WORKBOOK))
    agree = sum(
        ("MAC" if plan.busy_cycles["array"] >= plan.busy_cycles["memory"] else "DRAM") == bound
        for plan, (_, _, bound) in zip(plans, layers, strict=True)
    )
    source = figures.figure("layer").source
    out.append(
        Row("NVDLA 2048", "ResNet-50", "layers bound by the same resource", "layers", agree, None, source, "read",
            low=50, high=54)
    )  # fmt: skip
    event = sum(run_passes(plan).cycles for plan in plans)
    out.append(
        figures.row(
            "resnet50", "NVDLA 2048", "ResNet-50", "time, event model", event / 1e6, gates=False, not_modelled=EVENT
        )
    )
    return out + _networks(figures, array) + _primer(figures, [shape for shape, _, _ in layers])


def _networks(figures: Figures, array: DotArray) -> list[Row]:
    """Return the other networks, from our own layers: batches of 16 images share a dense layer's weights."""
    from workloads.zoo import load

    wide = replace(array, pixels=8, kernels=16)
    out = []
    for name, label, batch, key, gates in figures.data["whole_networks"]:
        cycles = 0
        for shape in shapes_of(load(name)):
            dense = shape.filter_height * shape.out_height * shape.out_width == 1
            stride = shape.stride
            # The workbook takes an image as its output times the stride; a border is made, not read.
            if shape.filter_height > 1:
                shape = replace(shape, height=shape.out_height * stride, width=shape.out_width * stride)
            cycles += plan_dot_array(shape, wide, batch if dense else 1).bound_cycles
        note = WHOLE if gates else f"{WHOLE}; {BRANCHES}"
        out.append(figures.row(key, "NVDLA 2048", label, "time", cycles / 1e6, gates=gates, not_modelled=note))
    return out


def _primer(figures: Figures, shapes: list[ConvShape]) -> list[Row]:
    out, last = [], float("inf")
    monotone = True
    for macs, channels, kernels, kib, bandwidth, winograd, published, _ in figures.data["primer"]:
        machine = {
            "channels": channels, "kernels": kernels, "buffer_kib": kib, "memory_gb_per_s": bandwidth,
            "winograd": winograd,
        }  # fmt: skip
        array = _array(f"NVDLA {macs}", machine)
        cycles = sum(plan_dot_array(shape, array).bound_cycles for shape in shapes)
        ours = 1e9 / cycles
        monotone, last = monotone and ours < last, ours
        out.append(
            figures.row(
                "primer", f"NVDLA {macs}", "ResNet-50", "frames", ours, published=published, not_modelled=PRIMER
            )
        )
    source = figures.figure("primer").source
    out.append(Row("NVDLA", "ResNet-50", "frames fall with MACs", "bool", float(monotone), 1.0, source, "read"))
    return out
