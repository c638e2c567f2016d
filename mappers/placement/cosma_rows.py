"""The constraint families of COSMA's program, a function each, every row named ``family[tensor or operator,step]``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappers.placement.cosma import Sum
from mappers.solver import Sense
from workloads.errors import InternalError

if TYPE_CHECKING:
    from mappers.placement.cosma import CosmaModel


def add_all(m: CosmaModel) -> None:
    """Add the families that the goal and the kind of schedule of `m` call for, and the objective."""
    one_state(m)
    preserve_what_was_there(m)
    operands_are_resident(m)
    created_once(m)
    no_life_after_the_last_use(m)
    if m.order is None:
        siblings_together(m)
        one_operator_per_step(m)
    if m.goal != "peak":
        spill_what_was_there(m)
        retrieve_after_spill(m)
        spilled_once(m)
    if m.goal == "placement":
        apart(m)
        stay_put(m)
    else:
        bytes_fit(m)
    objective(m)


def one_state(m: CosmaModel) -> None:
    """Eq. 1: ``C[a,t] + P[a,t] + S[a,t] + R[a,t] <= 1``."""
    for a, name in _tensors(m):
        for t in _life(m, a):
            _row(m, f"one_state[{name},{t}]", m.resident(a, t) + m.s(a, t), "<=", Sum((), 1))


def preserve_what_was_there(m: CosmaModel) -> None:
    """Eq. 2: ``P[a,t] <= C[a,t-1] + P[a,t-1] + R[a,t-1]``."""
    for a, t in m.P:
        _row(m, f"preserve[{m.graph.tensors[a].name},{t}]", m.p(a, t), "<=", m.resident(a, t - 1))


def spill_what_was_there(m: CosmaModel) -> None:
    """Eq. 3: ``S[a,t] <= C[a,t-1] + P[a,t-1]``."""
    for a, t in m.S:
        _row(m, f"spill[{m.graph.tensors[a].name},{t}]", m.s(a, t), "<=", m.c(a, t - 1) + m.p(a, t - 1))


def retrieve_after_spill(m: CosmaModel) -> None:
    """Eq. 4: ``R[a,t] <= sum of S[a,k] for k <= t``; of a source: ``sum of C[a,k] for k < t``, its first arrival."""
    for a, t in m.R:
        own = m.S if m.graph.producer[a] >= 0 else m.C
        total = Sum()
        for k in range(t):
            if (a, k) in own:
                total += m.s(a, k) if m.graph.producer[a] >= 0 else m.c(a, k)
        _row(m, f"retrieve[{m.graph.tensors[a].name},{t}]", m.r(a, t), "<=", total)


def operands_are_resident(m: CosmaModel) -> None:
    """Eq. 5: ``C[a,t] <= P[b,t] + R[b,t]`` for each input b of a's operator; of a source b also ``+ C[b,t]``."""
    for i, operator in enumerate(m.graph.operators):
        low, high = m.windows[i]
        for b in m.graph.reads[i]:
            name = m.graph.tensors[b].name
            for t in range(low, high + 1):
                there = m.p(b, t) + m.r(b, t)
                if m.graph.producer[b] < 0:
                    there += m.c(b, t)
                _row(m, f"operand[{operator.name},{name},{t}]", m.runs(i, t), "<=", there)


def siblings_together(m: CosmaModel) -> None:
    """Eq. 6: ``C[a,t] = C[b,t]`` for outputs a, b of one operator."""
    for i, written in enumerate(m.graph.writes):
        for b in written[1:]:
            for t in range(m.windows[i][0], m.windows[i][1] + 1):
                _row(m, f"sibling[{m.graph.tensors[b].name},{t}]", m.c(b, t), "==", m.runs(i, t))


def created_once(m: CosmaModel) -> None:
    """Eq. 7: ``sum over t of C[a,t] = 1``."""
    for a, name in _tensors(m):
        total = Sum()
        for t in _life(m, a):
            total += m.c(a, t)
        if total.terms:
            _row(m, f"created_once[{name}]", total, "==", Sum((), 1))


def spilled_once(m: CosmaModel) -> None:
    """Eq. 8: ``sum over t of S[a,t] <= 1``: a host copy stays valid."""
    for a, name in _tensors(m):
        total = Sum()
        for t in _life(m, a):
            total += m.s(a, t)
        if total.terms:
            _row(m, f"spilled_once[{name}]", total, "<=", Sum((), 1))


def one_operator_per_step(m: CosmaModel) -> None:
    """Not in the paper's equations, which let operators that are no siblings share a step: at most one per step."""
    for t in m.steps:
        total = Sum()
        for i in m.steps:
            total += m.runs(i, t)
        _row(m, f"one_operator[{t}]", total, "<=", Sum((), 1))


def no_life_after_the_last_use(m: CosmaModel) -> None:
    """``P[a,t] <= sum over readers i and k >= t of C[i,k]``: without it, leaving out pairs by windows is not sound."""
    for a, t in m.P:
        later = Sum()
        for i in m.graph.readers[a]:
            for k in range(max(t, m.windows[i][0]), m.windows[i][1] + 1):
                later += m.runs(i, k)
        if later.constant < 1:
            _row(m, f"last_use[{m.graph.tensors[a].name},{t}]", m.p(a, t), "<=", later)


def apart(m: CosmaModel) -> None:
    """Eq. 10: two tensors resident at one step do not overlap.

    ``L[a] >= L[b] + s_b - MB (1 - u)``, ``L[b] >= L[a] + s_a - MB (1 - d)``, ``u + d >= res[a] + res[b] - 1``,
    ``u + d <= 1``; pairs whose windows do not meet have no u and d.
    """
    lives = [m.life(a) for a in range(len(m.graph.tensors))]
    for a, first in _tensors(m):
        for b in range(a + 1, len(lives)):
            second = m.graph.tensors[b].name
            for t in range(max(lives[a][0], lives[b][0]), min(lives[a][1], lives[b][1]) + 1):
                tag = f"{first},{second},{t}"
                u = m.above[a, b, t] = m.model.binary(f"u[{tag}]")
                d = m.below[a, b, t] = m.model.binary(f"d[{tag}]")
                la, lb, big = m.L[a, t], m.L[b, t], m.capacity
                m.model.row(f"above[{tag}]", [(1, la), (-1, lb), (-big, u)], ">=", m.size[b] - big)
                m.model.row(f"below[{tag}]", [(1, lb), (-1, la), (-big, d)], ">=", m.size[a] - big)
                both = m.resident(a, t) + m.resident(b, t)
                sides = Sum(((1.0, u), (1.0, d)))
                _row(m, f"apart[{tag}]", sides, ">=", both + Sum((), -1))
                _row(m, f"one_side[{tag}]", sides, "<=", Sum((), 1))


def stay_put(m: CosmaModel) -> None:
    """Eq. 11: ``abs(L[a,t] - L[a,t-1]) <= MB (1 - P[a,t])``: a preserved tensor does not move."""
    for (a, t), kept in m.P.items():
        now, before, name = m.L[a, t], m.L[a, t - 1], m.graph.tensors[a].name
        m.model.row(f"not_up[{name},{t}]", [(1, now), (-1, before), (m.capacity, kept)], "<=", m.capacity)
        m.model.row(f"not_down[{name},{t}]", [(1, before), (-1, now), (m.capacity, kept)], "<=", m.capacity)


def bytes_fit(m: CosmaModel) -> None:
    """Per step ``sum of s_a res[a,t] <= MB`` (the relaxation), or ``<= M_peak`` (Eq. 14)."""
    for t in m.steps:
        total = Sum()
        for a in range(len(m.graph.tensors)):
            total += m.size[a] * m.resident(a, t)
        bound = Sum((), m.capacity) if m.peak is None else Sum(((1.0, m.peak),))
        _row(m, f"bytes_fit[{t}]", total, "<=", bound)


def objective(m: CosmaModel) -> None:
    """Eq. 12: least traffic, in granules; Eq. 15: least M_peak."""
    m.model.minimise(m.traffic.terms if m.peak is None else [(1.0, m.peak)])


def at_least(m: CosmaModel, bound_bytes: int) -> None:
    """Add a proven lower bound of the traffic as a cut."""
    _row(m, "proven_bound", m.traffic, ">=", Sum((), -(-bound_bytes // m.granule_bytes)))


def _tensors(m: CosmaModel) -> list[tuple[int, str]]:
    return [(a, tensor.name) for a, tensor in enumerate(m.graph.tensors)]


def _life(m: CosmaModel, a: int) -> range:
    first, last = m.life(a)
    return range(first, last + 1)


def _row(m: CosmaModel, name: str, left: Sum, sense: Sense, right: Sum) -> None:
    """Add ``left sense right``; a row without variables must hold by itself."""
    both = left - right
    if both.terms:
        m.model.row(name, both.terms, sense, -both.constant)
        return
    holds = {"<=": both.constant <= 0, ">=": both.constant >= 0, "==": both.constant == 0}[sense]
    if not holds:
        raise InternalError(f"model: row '{name}' cannot hold; report this as a bug")
