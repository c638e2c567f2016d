"""Descent under ZigZag's own counting, from the mapper's plan and from a few plain nests.

The general mapper proves its optimum for its own cost model. ZigZag's latency has rules of its own at the ends of a
layer (what is loaded once may use idle cycles of a port); this descent moves loops and cuts while that makes the peer's
figure better. It proves nothing and is bounded by evaluations, so equal input gives equal output.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, permutations

from mappers.exchange.zigzag_count import ZigZagCount, ZigZagModel
from mappers.exchange.zigzag_loops import Temporal
from workloads.errors import InputError

Levels = dict[str, list[list[tuple[str, int]]]]


@dataclass(frozen=True)
class Polished:
    """The mapping that the descent ended in, ZigZag's figures of it, and what the way cost."""

    temporal: Levels
    count: ZigZagCount
    evaluations: int


@dataclass(frozen=True)
class _State:
    """Loops in time, innermost first, and for each role the numbers of loops inside each of its memories."""

    order: tuple[tuple[str, int], ...]
    cuts: tuple[tuple[str, tuple[int, ...]], ...]

    def levels(self) -> Levels:
        found: Levels = {}
        for role, cuts in self.cuts:
            ends = (0, *cuts, len(self.order))
            found[role] = [list(self.order[low:high]) for low, high in pairwise(ends)]
        return found


def figure(count: ZigZagCount, objective: str) -> float:
    """Return the figure of `count` that `objective` (edp, energy, latency) names."""
    return {"edp": count.edp, "energy": count.energy_pj, "latency": count.latency_cycles}[objective]


def polish(model: ZigZagModel, temporal: Temporal | None, objective: str = "edp", evaluations: int = 200) -> Polished:
    """Return the best end of first-improvement descents from `temporal` and from the best of the plain nests.

    Parameters
    ----------
    temporal : mapping of role to levels, or None
        Loops in time of the mapper's plan; None for the plain nests alone.
    evaluations : int
        Most mappings counted, half of them for each descent.

    Raises
    ------
    InputError
        If there is no start: `temporal` is None and no plain nest fits.

    Notes
    -----
    Plain nests: the loops that the output, the weight and the input do not see, as three blocks in all six orders, each
    memory filled as far as it goes. Moves: a cut of one role by one or two loops, cuts that stand together, two
    neighbouring loops exchanged, a loop or all loops of a dimension moved elsewhere. Loops are prime factors.
    """
    starts = [(figure(model.count(state.levels()), objective), at, state) for at, state in enumerate(_plain(model))]
    used = len(starts)
    chosen = [state for _, _, state in sorted(starts)[:1]]
    if temporal is not None:
        chosen.insert(0, _split(temporal))
    if not chosen:
        raise InputError(f"layer '{model.layer.name}' on '{model.hardware.name}': no plain nest fits; give a mapping")
    ends = []
    for at, state in enumerate(chosen):
        end = _descend(model, state, objective, max(1, (evaluations - used) // (len(chosen) - at)))
        used += end.evaluations
        ends.append(end)
    best = min(ends, key=lambda end: figure(end.count, objective))
    return Polished(best.temporal, best.count, used)


def can_start(model: ZigZagModel) -> bool:
    """Tell whether the unrolling leaves a nest that fits: all loops in time in the outermost memory."""
    order = [(dim, steps) for dim, steps in model.steps.items() if steps > 1]
    levels = {tensor.name: len(model.fine[tensor.name].memories) for tensor in model.tensors}
    return model.fits({role: [*([] for _ in range(count - 1)), order] for role, count in levels.items()})


def _plain(model: ZigZagModel) -> Iterator[_State]:
    """Return nests of three blocks with greedily filled memories, those that fit."""
    steps = {dim: count for dim, count in model.steps.items() if count > 1}
    blocks: dict[str, list[tuple[str, int]]] = {tensor.name: [] for tensor in model.tensors}
    for dim, count in steps.items():
        blind = [tensor.name for tensor in model.tensors if dim in model.fine[tensor.name].irrelevant]
        blocks[blind[0] if blind else model.tensors[0].name] += [(dim, prime) for prime in _primes(count)]
    for names in permutations(blocks):
        order = tuple(loop for name in names for loop in blocks[name])
        state = _filled(model, order)
        if state is not None:
            yield state


def _filled(model: ZigZagModel, order: tuple[tuple[str, int], ...]) -> _State | None:
    """Return `order` with every memory, innermost first, filled with as many loops of each role as fit."""
    roles = [tensor.name for tensor in model.tensors]
    cuts = {role: [0] * (len(model.fine[role].memories) - 1) for role in roles}

    def state() -> _State:
        return _State(order, tuple((role, tuple(cuts[role])) for role in roles))

    if not model.fits(state().levels()):
        return None
    for memory in model.hardware.memories[:-1]:
        for role in roles:
            chain = model.fine[role].memories
            if memory not in chain[:-1]:
                continue
            at = chain.index(memory)
            low, high = cuts[role][at], len(order)
            while low < high:
                middle = (low + high + 1) // 2
                before = list(cuts[role])
                cuts[role][at:] = [max(middle, cut) for cut in cuts[role][at:]]
                if model.fits(state().levels()):
                    low = middle
                else:
                    high = middle - 1
                cuts[role] = before
            cuts[role][at:] = [max(low, cut) for cut in cuts[role][at:]]
    return state()


def _descend(model: ZigZagModel, state: _State, objective: str, evaluations: int) -> Polished:
    best = model.count(state.levels())
    value, used, moved = figure(best, objective), 1, True
    seen = {state}
    while moved and used < evaluations:
        moved = False
        for other in _neighbours(state):
            if other in seen:
                continue
            seen.add(other)
            levels = other.levels()
            if not model.fits(levels):
                continue
            used += 1
            found = model.count(levels)
            if figure(found, objective) < value:
                state, best, value, moved = other, found, figure(found, objective), True
                break
            if used >= evaluations:
                break
    return Polished(state.levels(), best, used)


def _split(temporal: Temporal) -> _State:
    cuts = []
    order: list[tuple[str, int]] = []
    for at, (role, levels) in enumerate(temporal.items()):
        ends, inside = [], 0
        for level in levels:
            for dim, factor in level:
                primes = _primes(factor)
                inside += len(primes)
                if at == 0:
                    order += [(dim, prime) for prime in primes]
            ends.append(inside)
        cuts.append((role, tuple(ends[:-1])))
    return _State(tuple(order), tuple(cuts))


def _primes(number: int) -> list[int]:
    found, divisor = [], 2
    while number > 1:
        while number % divisor == 0:
            found.append(divisor)
            number //= divisor
        divisor += 1 if divisor * divisor <= number else number - divisor or 1
    return found


def _neighbours(state: _State) -> Iterator[_State]:
    order, cuts = state.order, dict(state.cuts)
    size = len(order)
    for role, ends in cuts.items():
        for at in range(len(ends)):
            for step in (1, -1, 2, -2):
                yield from _with_cuts(state, {role: _shifted(ends, at, step)}, size)
    depths = sorted({end for ends in cuts.values() for end in ends})
    for depth in depths:
        for step in (1, -1):
            both = {r: tuple(end + step if end == depth else end for end in ends) for r, ends in cuts.items()}
            yield from _with_cuts(state, both, size)
    for at in range(size - 1):
        if order[at][0] != order[at + 1][0]:
            yield _State((*order[:at], order[at + 1], order[at], *order[at + 2 :]), state.cuts)
    for dim in dict.fromkeys(dim for dim, _ in order):
        block = [loop for loop in order if loop[0] == dim]
        rest = tuple(loop for loop in order if loop[0] != dim)
        for end in range(len(rest) + 1):
            if end in (0, len(rest)) or rest[end - 1][0] != rest[end][0]:
                yield _State((*rest[:end], *block, *rest[end:]), state.cuts)
    for start in range(size):
        rest = (*order[:start], *order[start + 1 :])
        for end in range(size):
            if abs(end - start) > 1:
                yield _State((*rest[:end], order[start], *rest[end:]), state.cuts)


def _shifted(ends: Sequence[int], at: int, step: int) -> tuple[int, ...]:
    return tuple(end + step if index == at else end for index, end in enumerate(ends))


def _with_cuts(state: _State, changed: Mapping[str, tuple[int, ...]], size: int) -> Iterator[_State]:
    for ends in changed.values():
        if any(low > high for low, high in zip((0, *ends), (*ends, size), strict=True)):
            return
    yield _State(state.order, tuple((role, changed.get(role, ends)) for role, ends in state.cuts))
