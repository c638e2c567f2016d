"""How a model is solved, what came of it, and the parent's side of the process that runs HiGHS."""

from __future__ import annotations

import json
import math
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from workloads.errors import InputError

SolverName = Literal["highs", "cbc"]
Status = Literal["optimal", "feasible", "infeasible", "unknown"]
_GRACE_S = 1.5


@dataclass(frozen=True, slots=True)
class SolveOptions:
    """How a model is solved.

    Parameters
    ----------
    solver : {"highs", "cbc"}
    time_limit_s : float
        Wall time; > 0.
    memory_bytes : int
        Bound on the address space of the child that runs HiGHS, where the system has such bounds.
    stop : callable, optional
        Asked about ten times a second; when it answers True the best solution so far is returned.
    """

    solver: SolverName = "highs"
    time_limit_s: float = 60.0
    memory_bytes: int = 4 << 30
    stop: Callable[[], bool] | None = None

    def __post_init__(self) -> None:
        if self.solver not in get_args(SolverName):
            raise InputError(f"solver '{self.solver}': not known; use one of {', '.join(get_args(SolverName))}")
        if not (math.isfinite(self.time_limit_s) and self.time_limit_s > 0):
            raise InputError(f"time limit: {self.time_limit_s} s, bound is a finite number > 0; give seconds")


@dataclass(frozen=True, slots=True)
class Solution:
    """What a solver found, and what it proved.

    Parameters
    ----------
    status : str
        ``optimal`` (proven), ``feasible`` (a solution, no proof), ``infeasible`` (proven), ``unknown``.
    objective : float or None
        Value of the solution in hand.
    bound : float or None
        Proven lower bound of every solution.
    values : mapping of str to float
        Value of each variable by name; empty without a solution. Integers are exact.
    seconds : float
        Wall time of the solve.
    stopped : str
        ``""``, ``time limit``, ``interrupt`` or the solver's own reason for ending early.
    """

    status: Status
    objective: float | None
    bound: float | None
    values: Mapping[str, float]
    seconds: float
    stopped: str = ""

    @property
    def proven_optimal(self) -> bool:
        """Value telling whether the solution is proven optimal."""
        return self.status == "optimal"


def run_highs(path: Path, start: Mapping[str, float], options: SolveOptions) -> dict[str, Any]:
    """Return the last word of a child that solves the MPS file `path`."""
    request = {
        "path": str(path),
        "start": dict(start),
        "time_limit_s": options.time_limit_s,
        "memory_bytes": options.memory_bytes,
    }
    places = [str(Path(__file__).resolve().parents[1]), *(p for p in sys.path if p)]
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "mappers.solver"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(dict.fromkeys(places)), "OMP_NUM_THREADS": "1"},
        start_new_session=True,  # a Ctrl-C on the terminal is for the parent, which ends the child itself
    )
    last: dict[str, Any] = {"status": "unknown", "bound": None, "x": {}, "stopped": ""}
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stderr is not None
    try:
        child.stdin.write(json.dumps(request).encode() + b"\n")
        child.stdin.flush()
        last["stopped"] = _listen(child, last, options)
        if last["stopped"] == "ended" and "end" not in last:
            child.wait()
            words = child.stderr.read().decode("utf-8", "replace").strip().splitlines()
            last["stopped"] = f"solver process ended early ({words[-1][:200] if words else child.returncode})"
    except BrokenPipeError:
        last["stopped"] = "solver process did not start"
    finally:
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout, child.stderr):
            pipe.close()
    return last


def _listen(child: subprocess.Popen[bytes], last: dict[str, Any], options: SolveOptions) -> str:
    """Fold the child's lines into `last` until it ends, the time is up or someone says stop; return which."""
    assert child.stdout is not None
    deadline = time.monotonic() + options.time_limit_s + _GRACE_S
    buffer = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while True:
            if options.stop is not None and options.stop():
                return "interrupt"
            if time.monotonic() > deadline:
                return "time limit"
            if not selector.select(0.1):
                continue
            chunk = os.read(child.stdout.fileno(), 1 << 16)
            buffer += chunk
            *lines, rest = bytes(buffer).split(b"\n")
            buffer = bytearray(rest)
            for line in lines:
                event = json.loads(line)
                bound = event.pop("bound", None)
                if bound is not None and (last["bound"] is None or bound > last["bound"]):
                    last["bound"] = bound
                last.update(event)
            if "end" in last:
                return str(last["stopped"])
            if not chunk:
                return "ended"
