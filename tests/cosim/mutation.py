"""Mistakes planted in every RTL module by rule, and whether the verification of a core notices them.

``python -m tests.cosim.mutation docs/rtl_mutants.md`` plants them all and writes the table; with a second file it notes
each verdict there and goes on where it was stopped: a verdict counts as long as the text of its module stays. A mutant
is one edit of one module of ``rtl/``. It is tried on the cores that contain the module, in the order of the list, until
one notices: by a wrong value, a wrong cycle count, or a broken rule of the interface. One that does not compile is no
mutant.
"""

from __future__ import annotations

import hashlib
import json
import resource
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

import rtl.engine
from hw_models.fp16 import FP16Params
from hw_models.layer_engine import EngineParams
from hw_models.products import IntArray
from hw_models.systolic import SystolicParams
from hw_models.systolic_nm import SystolicNMParams
from rtl.emit import emit
from rtl.engine_top import engine_sources
from rtl.fp16_top import FP16_CORNERS
from rtl.run import JobData, Scenario, run_scenarios
from rtl.stimulus import CORNERS, draw, exhaustive
from rtl.stream_core import StreamWork, stream_work
from rtl.stream_run import StreamScenario, run_streams
from sim.array_queue import simulate_jobs
from tests.cosim import (
    bins_cases,
    dequant_cases,
    dot_cases,
    epilogue_cases,
    fabric_cases,
    fp16_cases,
    scratchpad_cases,
    skip_cases,
    systolic_is_cases,
    systolic_nm_cases,
    topk_cases,
    zero_point_cases,
)
from tests.cosim.engine_judge import engine_bench, engines, judge_engine
from tests.cosim.equivalent_mutants import EQUIVALENT
from tests.cosim.mutant_rules import Mutant, mutants_of
from tests.cosim.test_cosim_fp16 import beside_half, counted
from tilewright.cores import CoreRow, list_cores
from workloads.errors import InternalError, MismatchError
from workloads.formats import Float16

TRIES = 6
"""Cores other than engines on which a mutant is tried before it counts as survived."""
EXHAUSTIVE_BEATS = 1500
PIECE = 20
"""Mutants judged between two notes."""
DIGITS = 16
SIMULATOR_SECONDS = 120


ENGINE_RTL = Path(rtl.engine.__path__[0])
TEST_MEMORY = "axi_memory.sv"


def _cores() -> list[CoreRow]:
    """Return the cores of the list, then those of the test cases: other widths, odd numbers of lanes."""
    families = (
        dot_cases, skip_cases, bins_cases, dequant_cases, topk_cases, fp16_cases, zero_point_cases, systolic_is_cases,
        systolic_nm_cases, epilogue_cases, fabric_cases, scratchpad_cases,
    )  # fmt: skip
    cases: Iterator[Any] = chain.from_iterable(family.CORES for family in families)
    more = [CoreRow(params.name, "", "", params) for params in cases]
    return [row for row in (*list_cores(), *more) if not isinstance(row.params, EngineParams)]


def all_mutants() -> list[tuple[Mutant, tuple[CoreRow, ...]]]:
    """Return every mutant with the cores that contain its module."""
    users: dict[str, list[CoreRow]] = {}
    texts: dict[str, str] = {}
    for row in _cores():
        for module, text in emit(row.params).items():
            if module.endswith(".sv") and module != f"{row.name}.sv":
                users.setdefault(module, []).append(row)
                texts[module] = text
    for params in engines():
        row = CoreRow(params.name, "", "", params)
        built = engine_sources(params)
        for path in sorted(ENGINE_RTL.glob("*.sv")):
            if path.name != TEST_MEMORY and path.name in built:
                users.setdefault(path.name, []).append(row)
                texts[path.name] = path.read_text(encoding="utf-8")
    return [(mutant, tuple(users[name])) for name, text in texts.items() for mutant in mutants_of(name, text)]


@lru_cache(maxsize=128)
def _works(row: CoreRow) -> tuple[StreamWork, ...]:
    rng = np.random.default_rng(7)
    works = [stream_work(row.params, *draw(row.params, rng, CORNERS[i % len(CORNERS)])) for i in range(10)]
    if isinstance(row.params, FP16Params):
        works += [stream_work(row.params, *pairs) for pairs in _fp16_pairs(row.params, rng)]
    every = exhaustive(row.params)
    if every is not None:
        work = stream_work(row.params, *every)
        if max(len(port.data) for port in work.inputs.values()) <= EXHAUSTIVE_BEATS:
            works.append(work)
    return tuple(works)


def _fp16_pairs(params: FP16Params, rng: np.random.Generator) -> Iterator[tuple[IntArray, IntArray]]:
    """Yield single products: every pair of corners, and pairs whose product lies beside half the least subnormal."""
    corners = np.array(np.meshgrid(FP16_CORNERS, FP16_CORNERS)).reshape(2, -1)
    beside = beside_half(Float16(), rng)
    for a, w in (corners, beside):
        count = len(a) - len(a) % params.interleave
        yield a[:count, None].astype(np.int64), w[:count, None].astype(np.int64)


def _judge_stream(row: CoreRow, sources: dict[str, str]) -> str:
    works = _works(row)
    disturbed = {"back_to_back": True, "idle_percent": 40, "back_pressure_percent": 40}
    runs = run_streams(
        row.params,
        [
            StreamScenario(works),
            StreamScenario(works[:8], **disturbed, seed=1, check_paths=True),
            StreamScenario(works[:8], back_to_back=True, back_pressure_percent=70, seed=2),
            StreamScenario(works[:4], reset_after_cycles=6),
            StreamScenario(works[:4], reset_after_cycles=11),
            # Sources that never pause: an arbiter's packets come out in one order, whatever the sink does.
            *[StreamScenario(works[:8], back_pressure_percent=70, seed=3)] * bool(works[0].sources),
        ],
        sources=sources,
    )
    for played in runs:
        if any(run.wrong_beats(work) for run, work in zip(played, works, strict=False)):
            return "value"
    timed = (*zip(runs[0], works, strict=True), *zip(runs[3], works, strict=False), *zip(runs[4], works, strict=False))
    if any(run.cycles != work.cycles for run, work in timed):
        return "cycle"
    return _judge_stalls(row.params, sources) if isinstance(row.params, FP16Params) else ""


def _judge_stalls(params: FP16Params, sources: dict[str, str]) -> str:
    """Hold the counter of stalls, which no stream shows, to its formula."""
    outputs, length = 2 * params.interleave, 6
    with TemporaryDirectory(prefix="tilewright_mutant_") as folder:
        stalls = counted(params, outputs, length, Path(folder), sources)[2]
    return "" if stalls == params.stall_cycles(outputs, length) else "value"


@lru_cache(maxsize=32)
def _jobs(params: SystolicParams) -> tuple[JobData, ...]:
    rng = np.random.default_rng(3)
    i, w = params.input_format, params.weight_format
    shapes = [(1, 1, 1), (5, 9, 3), (9, 5, 6), (3, 12, 9), (6, 4, 4), (2, 17, 5), (9, 2, 9)]
    if isinstance(params, SystolicNMParams):
        sparse = [(m, k * params.group - (k % 2), n) for m, k, n in shapes]
        return tuple(systolic_nm_cases.random_operands(params, shape, 3) for shape in sparse if shape[1])
    return tuple(
        JobData(
            rng.integers(i.min, i.max, (m, k), dtype=np.int64, endpoint=True),
            rng.integers(w.min, w.max, (k, n), dtype=np.int64, endpoint=True),
        )
        for m, k, n in shapes
    )


def _judge_array(params: SystolicParams, sources: dict[str, str]) -> str:
    jobs = _jobs(params)
    scenarios = [
        Scenario(jobs),
        Scenario(jobs, back_to_back=True),
        Scenario(jobs, back_to_back=True, idle_percent=40, back_pressure_percent=40, seed=1, check_paths=True),
        Scenario(jobs[:3], reset_after_cycles=9),
        Scenario(jobs[:3], reset_after_cycles=21),
    ]
    played = run_scenarios(params, scenarios, sources=sources)
    for run in played:
        for job, got in zip(jobs, run.jobs, strict=False):
            if (got.outputs != params.golden(job.a, job.w)).any():
                return "value"
    folds = [params.job_for(job.a.shape[0], job.a.shape[1], job.w.shape[1]) for job in jobs]
    alone = [run.cycles_issue_to_last for run in played[0].jobs]
    chain = simulate_jobs(params, folds)
    late = alone != [params.cycles(fold) for fold in folds] or played[1].total_cycles != chain[-1][1] - chain[0][0]
    return "cycle" if late else ""


def _sources(row: CoreRow) -> dict[str, str]:
    """Return what is simulated of a core."""
    return engine_bench(row.params) if isinstance(row.params, EngineParams) else emit(row.params)


def tried(rows: tuple[CoreRow, ...]) -> tuple[CoreRow, ...]:
    """Return the cores of `rows` that are tried: every engine, those of several dataflows early; of others `TRIES`."""
    flows = {row: len(row.params.dataflows) for row in rows if isinstance(row.params, EngineParams)}
    if flows:
        return (rows[0], *sorted(rows[1:], key=lambda row: -flows[row]))
    return rows[:: max(1, len(rows) // TRIES)][:TRIES]  # those that differ most stand far apart in the list


def judge(mutant: Mutant, rows: tuple[CoreRow, ...]) -> tuple[str, str]:
    """Return (how it was noticed, by which core): ``value``, ``cycle``, ``interface``, ``invalid`` or ``survived``."""
    valid = False
    for row in tried(rows):
        sources = _sources(row)
        sources[mutant.module] = mutant.apply(sources[mutant.module])
        try:
            if isinstance(row.params, EngineParams):
                verdict = judge_engine(row.params, sources)
            elif isinstance(row.params, SystolicParams):
                verdict = _judge_array(row.params, sources)
            else:
                verdict = _judge_stream(row, sources)
        except MismatchError:
            return "interface", row.name
        except (InternalError, AssertionError):
            continue  # does not elaborate here
        valid = True
        if verdict:
            return verdict, row.name
    return ("survived", rows[0].name) if valid else ("invalid", rows[0].name)


def _timed(mutant: Mutant, rows: tuple[CoreRow, ...]) -> tuple[str, str]:
    """Judge with bounded simulators: an edit can make a loop that takes no simulated time."""
    spent = resource.getrusage(resource.RUSAGE_SELF)
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(spent.ru_utime + spent.ru_stime) + SIMULATOR_SECONDS, most))
    return judge(mutant, rows)


def _bounded() -> None:
    """Bound the memory of a worker and its simulators: an edited width can make a compiler ask for all there is."""
    resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))


def campaign(
    chosen: list[tuple[Mutant, tuple[CoreRow, ...]]], tell: Callable[[str], object]
) -> list[tuple[Mutant, str, str]]:
    """Judge `chosen` two at a time; return (mutant, verdict, core) in order."""
    with ProcessPoolExecutor(2, initializer=_bounded) as pool:
        results = []
        for (mutant, _), (verdict, core) in zip(chosen, pool.map(_timed, *zip(*chosen, strict=True)), strict=True):
            results.append((mutant, verdict, core))
            tell(f"{len(results)}/{len(chosen)} {mutant.name}: {verdict} ({core})\n")
    return results


def digests(every: Sequence[tuple[Mutant, tuple[CoreRow, ...]]]) -> dict[str, str]:
    """Return the first digits of the SHA-256 of every module's text."""
    users = {mutant.module: rows[0] for mutant, rows in every}
    return {
        module: hashlib.sha256(_sources(row)[module].encode()).hexdigest()[:DIGITS] for module, row in users.items()
    }


def noted(log: Path, texts: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Return (verdict, core) of the mutants in `log`, an object per line, that were made of the modules of `texts`."""
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    entries = [entry for entry in map(json.loads, lines) if texts.get(entry["name"].split(":")[0]) == entry["text"]]
    return {entry["name"]: (entry["verdict"], entry["core"]) for entry in entries}


def _note(log: Path, results: list[tuple[Mutant, str, str]], texts: Mapping[str, str]) -> None:
    with log.open("a", encoding="utf-8") as file:
        for mutant, verdict, core in results:
            entry = {"name": mutant.name, "verdict": verdict, "core": core, "text": texts[mutant.module]}
            file.write(json.dumps(entry) + "\n")


def table(results: list[tuple[Mutant, str, str]], left: Sequence[Mutant] = ()) -> str:
    """Return the published table of `results`; `left` are the mutants that have no verdict."""
    real = [entry for entry in results if entry[1] != "invalid"]
    counts = {
        verdict: sum(entry[1] == verdict for entry in real) for verdict in ("value", "cycle", "interface", "survived")
    }
    lines = [
        "# Planted mistakes in the RTL",
        "",
        "Written by `python -m tests.cosim.mutation docs/rtl_mutants.md`, which plants mistakes by rule",
        "(`tests/cosim/mutant_rules.py`) wherever a line of a module of `rtl/` fits one, and runs the "
        "verification of the",
        "cores that contain it. Equivalents are justified in `tests/cosim/equivalent_mutants.py`.",
        "",
        f"{len(real)} mutants: {counts['value']} caught by a value, {counts['cycle']} by a cycle count, "
        f"{counts['interface']} by a rule of the interface (hangs and X values among them), "
        f"{counts['survived']} survived, each with the reason. {len(results) - len(real)} more did not compile. "
        "Every verdict is of the text of its module as it stands.",
        "",
        *_unjudged(left),
        "| module | line | rule | noticed by | core |",
        "|---|---|---|---|---|",
    ]
    for mutant, verdict, core in real:
        seen = verdict if verdict != "survived" else f"equivalent: {EQUIVALENT.get(mutant.name, 'NOT JUSTIFIED')}"
        lines.append(f"| {mutant.module} | {mutant.line} | {mutant.rule} | {seen} | {core} |")
    return "\n".join(lines) + "\n"


def _unjudged(left: Sequence[Mutant]) -> list[str]:
    """Return the lines that say which mutants nobody has judged."""
    modules = Counter(mutant.module for mutant in left)
    if not modules:
        return []
    listed = ", ".join(f"{module} ({count})" for module, count in sorted(modules.items()))
    return [
        f"Not judged yet, {len(left)} more: {listed}.",
        "",
    ]


def main(target: Path, log: Path | None = None) -> None:
    """Judge what has no verdict in `log` yet, in pieces, and write the table after each."""
    every = all_mutants()
    texts = digests(every)
    known = noted(log, texts) if log is not None else {}
    todo = [entry for entry in every if entry[0].name not in known]
    for start in range(0, len(todo), PIECE):
        found = campaign(todo[start : start + PIECE], sys.stderr.write)
        if log is not None:
            _note(log, found, texts)
        known |= {mutant.name: (verdict, core) for mutant, verdict, core in found}
        write(target, every, known)
    write(target, every, known)


def write(target: Path, every: list[tuple[Mutant, tuple[CoreRow, ...]]], known: dict[str, tuple[str, str]]) -> None:
    """Write the table of the mutants with a verdict in `known` to `target`."""
    judged = [(mutant, *known[mutant.name]) for mutant, _ in every if mutant.name in known]
    left = [mutant for mutant, _ in every if mutant.name not in known]
    target.write_text(table(judged, left), encoding="utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
