"""Integer linear models: the only file that knows PuLP, and the only one that drives HiGHS.

A `LinearModel` is built in PuLP. HiGHS solves it in a child process, one thread, relative gap 0: through PuLP alone an
interrupt is not seen before the time limit and no incumbent comes back. The child prints every improving solution and
bound as a line of JSON, so the best so far survives a time limit, an interrupt and a crash. CBC is the second solver;
PuLP runs it, and its bound is read from its log.

Never import OR-tools beside this file: its shared library and that of highspy do not load into one process.
"""

from __future__ import annotations

import json
import math
import os
import re
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from mappers.solver_process import Solution, SolveOptions, SolverName, run_highs
from workloads.errors import InputError, InternalError

Sense = Literal["<=", ">=", "=="]
TOLERANCE = 1e-9
"""Integrality and row tolerance: with big-M rows of 10**6 bytes a default of 1e-6 lets a small tensor slip through."""
MAX_NAME = 255


__all__ = ["LinearModel", "Sense", "Solution", "SolveOptions", "SolverName", "Variable"]


class Variable:
    """A variable of a `LinearModel`; equal to itself only."""

    __slots__ = ("_column", "high", "integral", "low", "name")

    def __init__(self, name: str, column: Any, low: float, high: float, integral: bool) -> None:
        self.name, self.low, self.high, self.integral = name, low, high, integral
        self._column = column

    def __repr__(self) -> str:
        return f"Variable({self.name})"


class LinearModel:
    """A minimisation model with named, bounded variables and named rows.

    Examples
    --------
    >>> model = LinearModel("knapsack")
    >>> x, y = model.binary("x"), model.binary("y")
    >>> model.row("cover", [(2, x), (3, y)], ">=", 2)
    >>> model.minimise([(5, x), (4, y)])
    >>> found = model.solve(SolveOptions(time_limit_s=10))
    >>> found.status, found.objective, found.values["y"]
    ('optimal', 4.0, 1.0)
    """

    def __init__(self, name: str) -> None:
        import pulp

        self._pulp = pulp
        self._problem = pulp.LpProblem(_safe(name), pulp.LpMinimize)
        self.variables: dict[str, Variable] = {}
        self.rows: dict[str, tuple[tuple[tuple[Variable, float], ...], Sense, float]] = {}
        self._taken: set[str] = set()
        self._objective: list[tuple[float, Variable]] = []
        self._constant = 0.0

    def _unique(self, name: str) -> str:
        """Return `name` in the characters of the LP format, different from every other name of the model."""
        base = _safe(name)
        safe, count = base, 1
        while safe in self._taken:
            count += 1
            tail = f"~{count}"
            safe = base[: MAX_NAME - len(tail)] + tail
        self._taken.add(safe)
        return safe

    def _add(self, name: str, low: float, high: float, category: str) -> Variable:
        if name in self.variables:
            raise InternalError(f"model: variable '{name}' is added twice")
        if not (math.isfinite(low) and math.isfinite(high) and low <= high):
            raise InternalError(f"model: variable '{name}' has bounds {low} and {high}; both must be finite, in order")
        # made in the problem, so that a column in no row and no objective still gets a value
        if hasattr(self._problem, "add_variable"):
            column = self._problem.add_variable(self._unique(name), low, high, category)
        else:  # PuLP before 3.3
            column = self._pulp.LpVariable(self._unique(name), low, high, category)
            self._problem.addVariable(column)
        self.variables[name] = Variable(name, column, low, high, category != "Continuous")
        return self.variables[name]

    def binary(self, name: str) -> Variable:
        """Add a variable of {0, 1}."""
        return self._add(name, 0, 1, "Integer")

    def integer(self, name: str, low: int, high: int) -> Variable:
        """Add an integer variable of low..high."""
        return self._add(name, low, high, "Integer")

    def continuous(self, name: str, low: float, high: float) -> Variable:
        """Add a real variable of low..high."""
        return self._add(name, low, high, "Continuous")

    def row(self, name: str, terms: Iterable[tuple[float, Variable]], sense: Sense, bound: float) -> None:
        """Add the row ``sum(coefficient * variable) sense bound`` under a name of its own."""
        if name in self.rows:
            raise InternalError(f"model: row '{name}' is added twice")
        safe, parts = self._unique(name), _merged(terms)
        expression = self._pulp.LpAffineExpression([(v._column, c) for v, c in parts])
        code = {"<=": -1, "==": 0, ">=": 1}[sense]
        self._problem.addConstraint(self._pulp.LpConstraint(expression, code, safe, bound), safe)
        self.rows[name] = (tuple(parts), sense, bound)

    def minimise(self, terms: Iterable[tuple[float, Variable]], constant: float = 0.0) -> None:
        """Set the objective."""
        self._objective = [(c, v) for v, c in _merged(terms)]
        self._constant = constant
        self._problem.setObjective(self._pulp.LpAffineExpression([(v._column, c) for c, v in self._objective]))

    def write_lp(self, path: Path) -> None:
        """Write the model in CPLEX LP format; names keep what the format allows of them."""
        try:
            self._problem.writeLP(str(path), max_length=MAX_NAME)
        except OSError as error:
            raise InputError(f"LP file '{path}': cannot be written ({error.strerror}); check the path") from None

    def value(self, values: Mapping[str, float]) -> float:
        """Return the objective at `values`."""
        return self._constant + math.fsum(c * values[v.name] for c, v in self._objective)

    def violated(self, values: Mapping[str, float], slack: float = 1e-6) -> list[str]:
        """Return the names of the rows and variables that `values` breaks by more than `slack`."""
        found = []
        for name, variable in self.variables.items():
            if not variable.low - slack <= values[name] <= variable.high + slack:
                found.append(name)
        for name, (parts, sense, bound) in self.rows.items():
            left = math.fsum(c * values[v.name] for v, c in parts) - bound
            if (sense != ">=" and left > slack) or (sense != "<=" and left < -slack):
                found.append(name)
        return found

    def solve(self, options: SolveOptions, start: Mapping[str, float] | None = None) -> Solution:
        """Return the solution of the model.

        Parameters
        ----------
        start : mapping of str to float, optional
            Values to start from, all or some of the variables. A complete start that breaks no row is an incumbent: the
            answer is never worse.
        """
        began = time.monotonic()
        rank = {variable.name: index for index, variable in enumerate(self.variables.values())}
        known = {name: value for name, value in (start or {}).items() if name in rank}
        if options.solver == "cbc":
            raw = self._cbc(options, known)
        else:
            with tempfile.TemporaryDirectory(prefix="tilewright-ilp-") as folder:
                path = Path(folder) / "model.mps"
                _, renamed, _, _ = self._problem.writeMPS(str(path), rename=True)
                code = {name: renamed[v._column.name] for name, v in self.variables.items()}
                raw = run_highs(path, {code[n]: x for n, x in known.items()}, options)
                raw["x"] = {name: raw["x"][code[name]] for name in code} if raw.get("x") else {}
        values = {name: _exact(x, self.variables[name]) for name, x in raw.get("x", {}).items()}
        return self._judge(raw, values, known, time.monotonic() - began)

    def _judge(
        self, raw: Mapping[str, Any], values: dict[str, float], known: Mapping[str, float], seconds: float
    ) -> Solution:
        """Return the honest reading of what a solver said: solutions are checked, a better start is kept."""
        if values and self.violated(values):
            raise InternalError(f"solver: its solution breaks row '{self.violated(values)[0]}'; report this as a bug")
        complete = len(known) == len(self.variables) and not self.violated(known)
        if complete and (not values or self.value(known) < self.value(values)):
            values = dict(known)
        status = raw["status"]
        if status == "infeasible":
            if values:
                raise InternalError("solver: says infeasible of a model that has a solution; report this as a bug")
            return Solution("infeasible", None, None, {}, seconds)
        if not values:
            return Solution("unknown", None, raw.get("bound"), {}, seconds, raw["stopped"])
        objective = self.value(values)
        if status == "optimal":
            return Solution("optimal", objective, objective, values, seconds)
        bound = raw.get("bound")
        if bound is not None:
            bound += self._constant
        return Solution("feasible", objective, bound, values, seconds, raw["stopped"])

    def _cbc(self, options: SolveOptions, start: Mapping[str, float]) -> dict[str, Any]:
        """Return what CBC says, in the form of the HiGHS child's answer."""
        for name, variable in self.variables.items():
            if name in start:
                variable._column.setInitialValue(start[name], check=False)
        with tempfile.TemporaryDirectory(prefix="tilewright-ilp-") as folder:
            log = Path(folder) / "cbc.log"
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # PuLP 4 will want CBC installed by itself
                command = self._pulp.PULP_CBC_CMD(
                    msg=False,
                    timeLimit=options.time_limit_s,
                    gapRel=0,
                    threads=1,
                    warmStart=bool(start),
                    logPath=str(log),
                    options=[f"integerTolerance {TOLERANCE}", f"primalTolerance {TOLERANCE}", "timeMode elapsed"],
                )
            self._problem.solve(command)
            text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
        found = re.findall(r"^Lower bound:\s+(\S+)", text, re.MULTILINE)
        pulp, quality = self._pulp, self._problem.sol_status
        raw: dict[str, Any] = {"stopped": "", "bound": float(found[-1]) if found else None, "x": {}}
        if self._problem.status == pulp.LpStatusInfeasible:
            # CBC says "infeasible" also of a run that the limit ended before its first solution
            ended = "Stopped on time" in text
            return raw | {"status": "unknown" if ended else "infeasible", "stopped": "time limit" if ended else ""}
        if quality in (pulp.LpSolutionOptimal, pulp.LpSolutionIntegerFeasible):
            raw["x"] = {name: v._column.varValue or 0.0 for name, v in self.variables.items()}
            proven = quality == pulp.LpSolutionOptimal
            return raw | {"status": "optimal" if proven else "feasible", "stopped": "" if proven else "time limit"}
        return raw | {"status": "unknown", "stopped": "time limit"}


def _safe(name: str) -> str:
    """Return `name` with brackets as parentheses and everything else that the LP format or PuLP forbids as ``_``."""
    text = re.sub(r"[^A-Za-z0-9_.,()#]", "_", name.replace("[", "(").replace("]", ")"))
    return (text if re.match(r"[A-Za-z_]", text) else f"_{text}")[:MAX_NAME]


def _merged(terms: Iterable[tuple[float, Variable]]) -> list[tuple[Variable, float]]:
    """Return each variable once, with the sum of its coefficients."""
    total: dict[Variable, float] = {}
    for coefficient, variable in terms:
        total[variable] = total.get(variable, 0) + coefficient
    return list(total.items())


def _exact(value: float, variable: Variable) -> float:
    """Return an integer variable's value as the integer it stands for."""
    return float(round(value)) if variable.integral else value


def _child() -> None:
    """Solve the model that stdin names; print incumbents, bounds and the end as lines of JSON."""
    request = json.loads(sys.stdin.readline())
    # the parent's end of stdin closes when it dies, however it dies
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(1)), daemon=True).start()
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (request["memory_bytes"],) * 2)
    except (ImportError, ValueError, OSError):
        pass  # no such bound on this system
    import highspy

    highs: Any = highspy.Highs()  # type: ignore[no-untyped-call]
    for key, value in (
        ("output_flag", False),
        ("threads", 1),
        ("parallel", "off"),
        ("random_seed", 0),
        ("mip_rel_gap", 0.0),
        ("mip_abs_gap", 1e-6),
        ("mip_feasibility_tolerance", TOLERANCE),
        ("primal_feasibility_tolerance", TOLERANCE),
        ("time_limit", float(request["time_limit_s"])),
    ):
        highs.setOptionValue(key, value)
    if highs.readModel(request["path"]) != highspy.HighsStatus.kOk:
        _say({"end": True, "status": "unknown", "stopped": "the solver cannot read the model"})
        return
    names = list(highs.getLp().col_names_)
    place = {name: index for index, name in enumerate(names)}
    start = [(place[name], value) for name, value in request["start"].items() if name in place]
    if start:
        import numpy as np

        columns, values = zip(*start, strict=True)
        highs.setSolution(len(start), np.array(columns, dtype=np.int32), np.array(values, dtype=np.float64))

    def improved(event: Any) -> None:
        data = event.data_out
        point = dict(zip(names, map(float, data.mip_solution), strict=True))
        _say({"status": "feasible", "bound": _finite(data.mip_dual_bound), "x": point})

    def logged(event: Any) -> None:
        _say({"bound": _finite(event.data_out.mip_dual_bound)})

    highs.cbMipImprovingSolution += improved
    highs.cbMipLogging += logged
    highs.run()
    _say(_last_word(highs, highspy, names))


def _last_word(highs: Any, highspy: Any, names: list[str]) -> dict[str, Any]:
    """Return the end event of a HiGHS run."""
    kinds, state, info = highspy.HighsModelStatus, highs.getModelStatus(), highs.getInfo()
    proven = state in (kinds.kOptimal, kinds.kModelEmpty)
    limit = {kinds.kTimeLimit: "time limit", kinds.kInterrupt: "interrupt"}.get(state, str(state).rpartition(".")[2])
    event: dict[str, Any] = {"end": True, "status": "unknown", "stopped": "" if proven else limit}
    # every variable is bounded, so "unbounded or infeasible" can only be the second
    if state in (kinds.kInfeasible, kinds.kUnboundedOrInfeasible):
        return event | {"status": "infeasible", "stopped": ""}
    if info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible:
        point = dict(zip(names, map(float, highs.getSolution().col_value), strict=True))
        event |= {"status": "optimal" if proven else "feasible", "x": point}
        event["bound"] = _finite(info.mip_dual_bound)
    else:
        event.pop("status")  # keep what the incumbents said
    return event


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _say(event: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    _child()
