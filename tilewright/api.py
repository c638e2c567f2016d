"""One-call Python API; the command line uses the same functions.

>>> import tilewright as tw
>>> result = tw.simulate("lenet", arch="edge_int8")
>>> result.totals.macs
416520
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from tilewright import __version__
from tilewright.redo import redo_command
from tilewright.result_plots import Plots
from tilewright.sources import Workload, load_workload
from workloads.errors import InputError
from workloads.nearest import nearest

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from hw_models.accelerator import Accelerator
    from mappers.given import GivenPlan
    from mappers.plan import Plan, PlannedGroup
    from sim.over_time import OverTime
    from sim.raw_run import Run
    from sim.result import LayerResult, Result, Totals
    from tilewright.sweeps.run import SweepOutcome
    from tilewright.verification import VerifyReport
    from workloads.network import Network
    from workloads.onnx_import import CheckReport

__all__ = ["Simulation", "check", "load_result", "load_workload", "map_network", "simulate", "sweep", "verify"]

OBJECTIVES = ("latency", "energy", "edp")
FIDELITIES = ("event", "analytic")


class Simulation:
    """A result with its plan, its plots and its table.

    Attributes
    ----------
    result : Result
        Everything that goes into the result file.
    plan : Plan or None
        Mappings and commands; None for a result that was read from a file.
    run : Run or None
        Raw event times; None for fidelity ``analytic``.
    """

    def __init__(self, result: Result, plan: Plan | None = None, run: Run | None = None) -> None:
        self.result, self.plan, self.run = result, plan, run

    @property
    def totals(self) -> Totals:
        """Value of the totals."""
        return self.result.totals

    @property
    def layers(self) -> tuple[LayerResult, ...]:
        """Value of the layers."""
        return self.result.layers

    @property
    def plot(self) -> Plots:
        """Value of the plots: ``.cycles() .energy() .roofline() .timeline() .dram() .pe_regions()``."""
        return Plots(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """Return the result file as plain data."""
        return self.result.to_json()

    def to_frame(self) -> pd.DataFrame:
        """Return one row per layer; needs pandas."""
        try:
            return self.result.to_frame()
        except ModuleNotFoundError as error:
            raise InputError("to_frame: pandas is not installed; run: pip install 'tilewright[frame]'") from error

    def report(self, folder: str | Path) -> list[Path]:
        """Write the HTML report, plots and tables into `folder`; return the paths."""
        from tilewright.report import write

        series = None if self.run is None or self.plan is None else self.over_time()
        return write(self.to_json(), Path(folder), series)

    def over_time(self, bins: int = 120) -> OverTime:
        """Return bytes per level, array and bus use, and occupancy over the run, in `bins` bins at most."""
        from sim.over_time import over_time

        if self.run is None or self.plan is None:
            raise InputError("over_time: this result has no event times; simulate with fidelity 'event'")
        return over_time(self.plan.program, self.run, self.plan.accelerator, bins)

    def pe_macs(self) -> list[npt.NDArray[np.int64]]:
        """Return, per layer, the useful MACs of every PE (rows x columns), exact; they sum to the layer's MACs."""
        from sim.pe_map import pe_macs

        macs = None if self.plan is None else pe_macs(self.plan.program, self.plan.accelerator)
        if macs is None:
            raise InputError("pe_macs: this result has no commands of an array with folds; simulate on one")
        return macs

    def trace(self, path: str | Path) -> None:
        """Write a Chrome trace for Perfetto to `path` (.json or .json.gz)."""
        from sim.trace import write_trace

        if self.run is None or self.plan is None:
            raise InputError("trace: this result has no event times; simulate with fidelity 'event'")
        write_trace(self.plan.program, self.run, self.plan.accelerator, Path(path))

    def __repr__(self) -> str:
        manifest, totals = self.result.manifest, self.totals
        return f"<Simulation {manifest['workload']} on {manifest['arch']}: {totals.cycles:,} cycles>"


def check_choice(value: str, allowed: Sequence[str], what: str) -> None:
    """Raise `InputError` unless `value` is one of `allowed`."""
    if not isinstance(value, str) or value not in allowed:
        hint = nearest(str(value), allowed)
        raise InputError(f"{what} '{value}' is unknown; use one of {', '.join(allowed)}{hint}")


def _accelerator(arch: str, overrides: Sequence[str]) -> Accelerator:
    from hw_models.description import load_accelerator

    return load_accelerator(arch, overrides)


def map_network(
    workload: str | Path | Workload,
    arch: str | Path = "edge_int8",
    objective: str = "latency",
    dims: Mapping[str, int] | None = None,
    overrides: Sequence[str] = (),
) -> Plan:
    """Return the plan alone: groups, mappings with certificates, and the command list.

    Parameters and errors are those of `simulate`.
    """
    check_choice(objective, OBJECTIVES, "objective")
    accelerator = _accelerator(str(arch), overrides)
    loaded = workload if isinstance(workload, Workload) else load_workload(workload, dims)
    return _plan(loaded, accelerator, objective)


def _plan(loaded: Workload, accelerator: Accelerator, objective: str, given: GivenPlan | None = None) -> Plan:
    from mappers.plan import make_plan

    return make_plan(loaded.network, accelerator, cast("Literal['latency', 'energy', 'edp']", objective), given=given)


def simulate(
    workload: str | Path,
    arch: str | Path = "edge_int8",
    objective: str = "latency",
    fidelity: str = "event",
    dims: Mapping[str, int] | None = None,
    overrides: Sequence[str] = (),
    seed: int = 0,
    plan: str | Path | None = None,
    fast_forward: bool = True,
) -> Simulation:
    """Map `workload` onto `arch` and simulate it.

    Parameters
    ----------
    workload : str
        Built-in network (``tilewright list workloads``) or path of an ``.onnx`` model.
    arch : str
        Preset (``tilewright list archs``) or path of a description.
    objective : {"latency", "energy", "edp"}
        What the mapper minimises per layer.
    fidelity : {"event", "analytic"}
        Event model, or closed forms (a lower bound).
    dims : mapping of str to int, optional
        Parameters of the workload or symbolic dimensions of the model, such as ``{"batch": 1}``.
    overrides : sequence of str
        ``PATH=VALUE`` changes of the description.
    seed : int
        Kept in the manifest; nothing in a simulation is drawn at random.
    plan : str or Path, optional
        A plan that ``map`` wrote for this workload and machine; its mappings and placement are used as they are.
    fast_forward : bool
        Leave out periods of the run that repeat exactly; the result is the same to the byte.

    Raises
    ------
    InputError, InfeasibleError
        Exit codes 2 and 3 of the command line.
    """
    check_choice(objective, OBJECTIVES, "objective")
    check_choice(fidelity, FIDELITIES, "fidelity")
    workload, arch = str(workload), str(arch)
    accelerator = _accelerator(arch, overrides)
    loaded = load_workload(workload, dims)
    manifest = {
        "tilewright_version": __version__,
        "workload": workload,
        "workload_sha256": loaded.sha256,
        "arch": arch,
        "arch_sha256": accelerator.sha256,
        "overrides": list(overrides),
        "dims": dict(dims or {}),
        "objective": objective,
        "fidelity": fidelity,
        "seed": seed,
        "solver": _solver(),
        "redo": redo_command(workload, arch, objective, fidelity, dims or {}, overrides, seed, plan),
        "sources": [list(row) for row in accelerator.sources],
    }
    if accelerator.core.array.kind == "row_stationary":
        if plan is not None:
            raise InputError(f"plan '{plan}': '{arch}' runs in passes and takes no plan; leave out --plan")
        from tilewright.pass_simulation import simulate_in_passes

        order = {"name": "exhaustive search", "cost_model": "memory bytes, then buffer bytes, then cycles"}
        whole = manifest | {"solver": order}
        return Simulation(simulate_in_passes(loaded.network, accelerator, whole, fidelity, loaded.notes))
    given = None if plan is None else _given(Path(plan), loaded, accelerator, objective)
    mapped = _plan(loaded, accelerator, objective, given)
    from sim.collector import paused

    with paused():
        return _run(mapped, loaded, manifest, fidelity, fast_forward)


def _given(path: Path, loaded: Workload, accelerator: Accelerator, objective: str) -> GivenPlan:
    """Return the decisions of a plan file, which must be of this workload, machine and objective."""
    from tilewright.plan_file import given_plan, read_plan

    file = read_plan(path)
    for what, stated, actual in (
        ("workload_sha256", file.workload_sha256, loaded.sha256),
        ("arch_sha256", file.arch_sha256, accelerator.sha256),
        ("objective", file.objective, objective),
    ):
        if stated != actual:
            raise InputError(
                f"plan '{path}': {what} is {stated[:16]}, this run has {actual[:16]}; give the workload, --dim, "
                f"--arch, --set and --objective it was made with, or map again"
            )
    return given_plan(file, accelerator.core.name)


def _solver() -> dict[str, str]:
    from mappers.cost import COST_MODEL

    return {"name": "exhaustive search with bounds", "cost_model": COST_MODEL}


def _run(plan: Plan, loaded: Workload, manifest: dict[str, Any], fidelity: str, fast_forward: bool) -> Simulation:
    from mappers.analytic import bounds
    from mappers.bank_reads import bank_layouts
    from sim.result import LayerAnnotation
    from tilewright.fidelity import not_modelled

    limits = bounds(plan.program, plan.accelerator)
    core = plan.accelerator.core.name
    layouts = bank_layouts(plan.program)
    annotations = [
        LayerAnnotation(
            mapping=_with_layouts(mapping_data(entry, core), layouts.get(index)),
            proven_optimal=all(p.found.certificate.proven_optimal for p in entry.parts) if entry.parts else None,
            gap=max(p.found.certificate.gap for p in entry.parts) if entry.parts else None,
            analytic_cycles=limit.analytic_cycles,
            core=core if entry.parts else "vector",
        )
        for index, (entry, limit) in enumerate(zip(plan.groups, limits, strict=True))
    ]
    missing = (*not_modelled(plan.accelerator, fidelity), *plan.notes, *loaded.notes)
    if fidelity == "analytic":
        from tilewright.closed_form import analytic_result

        result = analytic_result(plan.program, plan.accelerator, manifest, annotations, limits, plan.placement, missing)
        return Simulation(result, plan)
    from sim.simulation import simulate as run_event_model

    result, run = run_event_model(
        plan.program,
        plan.accelerator,
        manifest,
        annotations,
        plan.placement,
        missing,
        keep_run=True,
        fast_forward=fast_forward,
    )
    return Simulation(result, plan, run)


def _with_layouts(mapping: dict[str, Any] | None, layouts: dict[str, list[str]] | None) -> dict[str, Any] | None:
    """Return `mapping` with the layouts of its tiles, on a machine with banks."""
    return mapping if mapping is None or layouts is None else mapping | {"layouts": layouts}


def mapping_data(entry: PlannedGroup, core: str) -> dict[str, Any] | None:
    """Return the mapping of a group as plain data; a transposed layer has one nest per phase."""
    if not entry.parts:
        return None
    nests = []
    for part in entry.parts:
        mapping = part.mapping(core)
        certificate = part.found.certificate
        nests.append(
            {
                "dataflow": mapping.dataflow,
                "loops": [{"dim": loop.dim, "extent": loop.extent, "tile": loop.tile} for loop in mapping.loops],
                "cuts": dict(mapping.cuts),
                "certificate": asdict(certificate) | {"gap": certificate.gap},
            }
        )
    return nests[0] if len(nests) == 1 else {"phases": nests}


def check(
    model: str | Path,
    arch: str | Path = "edge_int8",
    overrides: Sequence[str] = (),
    dims: Mapping[str, int] | None = None,
) -> CheckReport:
    """Say where every node of an ONNX model, or every layer of a built-in, would run.

    A description that cannot be simulated is refused before the model is opened.
    """
    from hw_models.array_timing import timing_of
    from tilewright.checking import check_builtin
    from tilewright.sources import existing_file, looks_like_file

    model = str(model)
    accelerator = _accelerator(str(arch), overrides)
    timing_of(accelerator.core.array, accelerator.core.array.dataflows[0], 1)
    if not looks_like_file(model):
        network = load_workload(model, dims).network
        return _on_machine(check_builtin(network), network, accelerator)
    if Path(model).suffix.lower() != ".onnx":
        raise InputError(f"model '{model}': suffix '{Path(model).suffix}' is not read by check; give an .onnx file")
    from workloads.onnx_import import check_onnx

    path = existing_file(model, "model")
    report = check_onnx(path, dims)
    return _on_machine(report, load_workload(model, dims).network, accelerator) if report.supported else report


def _on_machine(report: CheckReport, network: Network, accelerator: Accelerator) -> CheckReport:
    """Return `report` with what `accelerator` cannot take of `network` as its problem."""
    from mappers.plan import check_network
    from workloads.errors import InfeasibleError

    try:
        check_network(network, accelerator)
    except (InputError, InfeasibleError) as error:
        return replace(report, problem=str(error))
    return report


def load_result(path: str | Path) -> Simulation:
    """Read a saved result (or the result.json of a report directory)."""
    from sim.result import Result
    from tilewright.results import read_result

    return Simulation(Result.from_json(read_result(Path(path))))


def sweep(spec: str | Path, folder: str | Path, jobs: int = 1) -> SweepOutcome:
    """Run the sweep of file `spec` with its store in `folder`; points already there are not simulated again.

    Raises
    ------
    InputError
        If the specification names what does not exist, `folder` is a file, or `jobs` is not in 1..256.
    """
    from tilewright.sweeps.executor import LocalExecutor
    from tilewright.sweeps.names import check_names
    from tilewright.sweeps.run import run_sweep
    from tilewright.sweeps.spec import read_spec
    from tilewright.sweeps.store import SqliteStore

    if not 1 <= jobs <= 256:
        raise InputError(f"sweep: jobs is {jobs}, bound is 1..256; choose a number in it")
    if Path(folder).exists() and not Path(folder).is_dir():
        raise InputError(f"output '{folder}': is a file, a directory is needed; name another")
    parsed = read_spec(Path(spec))
    check_names(parsed, str(spec))
    Path(folder).mkdir(parents=True, exist_ok=True)
    with SqliteStore(Path(folder) / "store.sqlite") as store:
        return run_sweep(parsed, store, LocalExecutor(jobs))


def verify(
    core: str, rows: int | None = None, cols: int | None = None, seed: int = 0, simulator: str = "icarus"
) -> VerifyReport:
    """Run the generated RTL of `core` and compare values with the golden model, cycles with the event model."""
    from tilewright.verification import verify_core

    return verify_core(core, rows=rows, cols=cols, seed=seed, simulator=simulator)
