"""Every decision of a small joint problem, tried one by one: orders, options, residents. Plain Python, no model."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import permutations, product

from mappers.network.joint_problem import JointProblem


def orders(problem: JointProblem) -> Iterator[tuple[int, ...]]:
    """Yield the topological orders."""
    makers = {op.output: o for o, op in enumerate(problem.operators)}
    for order in permutations(range(len(problem.operators))):
        seen: set[int] = set()
        for o in order:
            if any(name in makers and makers[name] not in seen for name in problem.operators[o].inputs):
                break
            seen.add(o)
        else:
            yield order


def best_decision(problem: JointProblem, objective: str) -> Fraction | None:
    """Return the least value of `objective` over everything, or None if nothing fits."""
    best: Fraction | None = None
    ops = problem.operators
    names = list(problem.bytes_of)
    for order in orders(problem):
        for picked in product(*(range(len(op.options)) for op in ops)):
            for bits in product((False, True), repeat=len(names)):
                resident = {name for name, bit in zip(names, bits, strict=True) if bit}
                found = _cost(problem, order, picked, resident)
                if found is not None:
                    value = {"latency": found[0], "energy": found[1], "edp": found[0] * found[1]}[objective]
                    best = value if best is None else min(best, value)
    return best


def _cost(
    problem: JointProblem, order: tuple[int, ...], picked: tuple[int, ...], resident: set[str]
) -> tuple[Fraction, Fraction] | None:
    ops, made = problem.operators, {op.output for op in problem.operators}
    spans: dict[str, list[int]] = {}
    for t, o in enumerate(order):
        for name in (*ops[o].inputs, ops[o].output):
            spans.setdefault(name, []).append(t)
    done: dict[str, Fraction] = {}
    core_free: dict[str, Fraction] = {}
    channel, energy, finish = 0, Fraction(0), Fraction(0)
    for t, o in enumerate(order):
        op, option = ops[o], ops[o].options[picked[o]]
        tiles = dict(option.stage_bytes)
        inside = sum(problem.bytes_of[n] for n in resident if n in spans and spans[n][0] <= t <= spans[n][-1])
        inside += sum(tiles.get(n, 0) for n in {*op.inputs, op.output} - resident)
        if inside > problem.capacity_bytes:
            return None
        into, out, whole = 0, 0, 0
        for name in set(op.inputs):
            if name not in resident:
                into += dict(option.read_bytes).get(name, 0)
            elif name not in made and min(p for p, other in enumerate(ops) if name in other.inputs) == o:
                into += problem.bytes_of[name]
                whole += problem.bytes_of[name]
        if op.output not in resident:
            out += option.written_bytes
        elif op.output in problem.outputs:
            out += problem.bytes_of[op.output]
        channel += into + out
        energy += option.energy_pj + into * (problem.dram_pj + problem.write_pj)
        energy += out * (problem.dram_pj + problem.read_pj)
        ready = max([done.get(n, Fraction(0)) for n in op.inputs] + [core_free.get(option.core, Fraction(0))])
        time = whole / problem.bytes_per_cycle + max(
            Fraction(option.cycles), (into + out - whole) / problem.bytes_per_cycle
        )
        done[op.output] = core_free[option.core] = ready + time
        finish = max(finish, ready + time)
    return max(finish, channel / problem.bytes_per_cycle), energy
