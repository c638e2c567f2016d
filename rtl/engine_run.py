"""Run command lists on the RTL of the layer engine: cycles of its counter and the memory it leaves."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hw_models.layer_engine import EngineParams
from rtl.bench.engine_protocol import EngineReport, EngineRequest
from rtl.engine_top import bench_sources
from rtl.engine_words import Words
from rtl.run import simulate_bench
from rtl.simulator import find_simulator
from workloads.errors import InputError, InternalError, MismatchError

Bytes = npt.NDArray[np.uint8]
NO_ERROR = 0xFFFFFFFF
HANG_CYCLES = 300


@dataclass(frozen=True)
class EngineRun:
    """One command list and how it is played.

    Parameters
    ----------
    words : dict
        Of `rtl.engine_words.encode`.
    image : ndarray of uint8, optional
        DRAM before the run; None keeps what the run before left.
    expected_cycles : int
        For the bound after which the run counts as hung.
    disturb : bool
        Let the memory hold back at random; values stay, cycles do not.
    error_from : int
        Addresses from here on answer with an error.
    again_after_cycles : int
        Start, and from so many cycles on ask for a second start until it is taken, which is then reported; 0 does not.
    reset_after_cycles : int
        Start, reset after so many cycles, load and start again; 0 does not.
    reset_cycles : int
        How long that reset is held.
    probe : bool
        Also play the control port: read every register, write where it must refuse, hold answers back.
    """

    words: Words
    image: Bytes | None
    expected_cycles: int
    disturb: bool = False
    error_from: int = NO_ERROR
    reset_after_cycles: int = 0
    reset_cycles: int = 2
    again_after_cycles: int = 0
    probe: bool = False

    def __post_init__(self) -> None:
        if self.reset_cycles < 1:
            raise InputError(f"layer engine run: reset_cycles is {self.reset_cycles}, bound is >= 1; raise it")


@dataclass(frozen=True)
class EngineOutcome:
    """Cycle counter, error register (bit 0 read, bit 1 write) and DRAM after a run; channels that a reset cut off.

    A run that does not end in twenty times its expected cycles has `cycles` -1 and no memory, and so has every run
    behind it. A run that stored an unknown value (X) has no memory. A channel, ``r`` or ``w``, is cut off where a beat
    stood on it behind which its burst had more.
    """

    cycles: int
    error: int
    memory: Bytes | None
    cut: tuple[str, ...] = ()


def run_engine(
    params: EngineParams,
    runs: Sequence[EngineRun],
    simulator: str = "icarus",
    sources: Mapping[str, str] | None = None,
    memory_bytes: int | None = None,
) -> list[EngineOutcome]:
    """Play `runs` one after another, without a reset between them, in one simulation.

    Parameters
    ----------
    sources : mapping, optional
        Other sources than those of `params`, as for a planted mistake.

    Raises
    ------
    InputError
        If the simulator is not installed.
    MismatchError
        If the engine breaks a rule of its control port or of AXI4.
    """
    found = find_simulator(simulator)
    largest = memory_bytes or max((run.image.size for run in runs if run.image is not None), default=0)
    if not runs or runs[0].image is None or largest % params.beat_bytes:
        raise InputError("layer engine run: the first run needs a DRAM image of whole beats; give one")
    beats = largest // params.beat_bytes
    texts = dict(bench_sources(params, beats) if sources is None else sources)
    request = _request(params)
    for place, run in enumerate(runs):
        name = ""
        if run.image is not None:
            name = f"image_{place}.hex"
            texts[name] = _hex(run.image, beats, params.beat_bytes)
        request["runs"].append(
            {
                "commands": [run.words[engine] for engine in ("load", "array", "vector", "store")],
                "image": name,
                "disturb": run.disturb,
                "error_from": run.error_from,
                "reset_after_cycles": run.reset_after_cycles,
                "reset_cycles": run.reset_cycles,
                "again_after_cycles": run.again_after_cycles,
                "timeout_cycles": HANG_CYCLES + 20 * run.expected_cycles,
                "probe": run.probe,
            }
        )
    with tempfile.TemporaryDirectory(prefix="tilewright_rtl_") as name:
        folder = Path(name)
        try:
            report: EngineReport = simulate_bench(
                f"{params.name}_bench", texts, request, found, folder, "rtl.bench.engine_bench"
            )
        except InternalError:
            broken = _fatal(folder)
            if broken:
                raise MismatchError(f"layer engine '{params.name}': {broken}") from None
            raise
        return [
            EngineOutcome(
                made["cycles"],
                made["error"],
                _bytes(folder / made["memory"], params.beat_bytes) if made["memory"] else None,
                tuple(made["cut"]),
            )
            for made in report["runs"]
        ]


def access_engine(
    params: EngineParams, accesses: Sequence[tuple[bool, int, int]], simulator: str = "icarus"
) -> list[tuple[int, int]]:
    """Play (write or not, address, data) on the control port after reset; return (data, response) of each."""
    found = find_simulator(simulator)
    request = _request(params)
    request["accesses"] = list(accesses)
    with tempfile.TemporaryDirectory(prefix="tilewright_rtl_") as name:
        report: EngineReport = simulate_bench(
            f"{params.name}_bench", bench_sources(params, 2), request, found, Path(name), "rtl.bench.engine_bench"
        )
    return [(data, response) for data, response in report["accesses"]]


def _request(params: EngineParams) -> EngineRequest:
    """Return a request without accesses and runs."""
    identity = params.cols << 16 | params.rows << 8 | params.beat_bytes
    return {"accesses": [], "runs": [], "identity": identity, "room": params.commands}


def _fatal(folder: Path) -> str:
    """Return what a check in the RTL said when it ended the simulation, or ""."""
    log = folder / "simulation.log"
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    said = re.search(r"^(?:FATAL: |.*%Fatal: )(.*)$", text, re.MULTILINE)
    return said[1] if said else ""


def _hex(image: Bytes, beats: int, beat_bytes: int) -> str:
    """Return a $readmemh file: a beat per line, byte 0 in the lowest bits."""
    full = np.zeros(beats * beat_bytes, dtype=np.uint8)
    full[: image.size] = image
    return "\n".join(row[::-1].tobytes().hex() for row in full.reshape(beats, beat_bytes)) + "\n"


def _bytes(path: Path, beat_bytes: int) -> Bytes | None:
    """Read a $writememh file; None if a bit of it is unknown."""
    lines = [line for line in path.read_text(encoding="ascii").split() if not line.startswith(("//", "@", "0x"))]
    text = "".join(line for line in lines if len(line) == 2 * beat_bytes)
    try:
        beats = np.frombuffer(bytes.fromhex(text), dtype=np.uint8).reshape(-1, beat_bytes)
    except ValueError:
        return None
    return beats[:, ::-1].ravel().copy()
