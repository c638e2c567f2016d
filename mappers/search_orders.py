"""All loop orders and cuts of a nest, reduced to what the cost of a mapping depends on.

For one tensor, an order and a cut matter only through (a) which of its dimensions have their loop outside the cut, for
these the tile is the loop's, (b) which loops that do not matter to it make its tiles come back: those outside the
cut with a loop that does matter between them and the cut. A loop directly outside the cut that does not matter
leaves the tile where it is. Two (order, cut) pairs with equal (a) and (b) cost the same, for every tile size: only
one is kept. The same holds for the triple of the three tensors' cuts in one order. This is an identity, not a
heuristic.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations, product

import numpy as np
import numpy.typing as npt

from mappers.mapping import RELEVANT

ROLES = ("I", "W", "O")


@dataclass(frozen=True, slots=True)
class CutClass:
    """What one tensor sees of an order and a cut.

    Parameters
    ----------
    outside : tuple of str
        Its dimensions whose loop stands outside the cut.
    repeats : tuple of (str, tuple of str)
        Loops that bring its tiles back, with the dimensions between them and the cut: they do so if one of these has
        more than one iteration.
    """

    outside: tuple[str, ...]
    repeats: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class Orders:
    """The classes of each tensor, and every triple of them that some order and cuts give.

    Parameters
    ----------
    classes : tuple of three tuples of CutClass
        For I, W, O.
    triples : ndarray of int, shape (triples, 3)
        Indices into `classes`.
    witness : tuple of (order, cuts)
        For each triple the first order and cuts that give it.
    mappings : int
        Orders times cuts that the triples stand for.
    """

    classes: tuple[tuple[CutClass, ...], ...]
    triples: npt.NDArray[np.int64]
    witness: tuple[tuple[tuple[str, ...], tuple[int, int, int]], ...]
    mappings: int


@lru_cache(maxsize=64)
def orders_of(free: tuple[str, ...], lead: tuple[str, ...] = ()) -> Orders:
    """Return the orders and cuts of the loops `lead`, outermost and fixed, and `free`, in any order."""
    known: list[dict[CutClass, int]] = [{}, {}, {}]
    seen: dict[tuple[int, int, int], tuple[tuple[str, ...], tuple[int, int, int]]] = {}
    mappings = 0
    for inner in permutations(free):
        order = (*lead, *inner)
        per_role = [
            [known[r].setdefault(_class_of(role, order[:cut]), len(known[r])) for cut in range(len(order) + 1)]
            for r, role in enumerate(ROLES)
        ]
        mappings += (len(order) + 1) ** 3
        distinct = [{number: cut for cut, number in reversed(list(enumerate(numbers)))} for numbers in per_role]
        for i, w, o in product(*distinct):
            seen.setdefault((i, w, o), (order, (distinct[0][i], distinct[1][w], distinct[2][o])))
    return Orders(
        classes=tuple(tuple(classes) for classes in known),
        triples=np.array(list(seen), dtype=np.int64).reshape(-1, 3),
        witness=tuple(seen.values()),
        mappings=mappings,
    )


def _class_of(role: str, outside: tuple[str, ...]) -> CutClass:
    """Return what tensor `role` sees of the loops `outside` its cut, outermost first."""
    matters: list[str] = []
    repeats: list[tuple[str, tuple[str, ...]]] = []
    for dim in reversed(outside):
        if dim in RELEVANT[role]:
            matters.append(dim)
        elif matters:
            repeats.append((dim, tuple(sorted(matters))))
    return CutClass(tuple(sorted(matters)), tuple(sorted(repeats)))
