"""Best-first search over the cuts of one layer under one unrolling, with a lower bound of what it left open.

A node is the cuts placed so far, outermost first, with what they cost. The cheapest open node is followed to a complete
mapping; its siblings stay open. Everything is ordered by bounds and numbers of a fixed order, never by time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from heapq import heappop, heappush
from typing import Any

import numpy as np

from mappers.nests.lattice import FloatArray
from mappers.zigzag_search.bounds import CutCosts, Key, State
from mappers.zigzag_search.figures import Counter, Figures, Plan, Point
from mappers.zigzag_search.orders import Orders
from mappers.zigzag_search.tables import BoolArray, CutTables, IntArray, Place

ROUNDING = 1 - 1e-12
"""Bounds are lowered by this factor, so that rounding prunes no optimum."""
EAGER = 0.02
"""In the first half of the nodes, each cut still to place makes a bound count this much higher."""
MOST_WATCHED = 4
"""Ports whose stalls are bounded; each costs a table for every state."""


@dataclass(frozen=True, slots=True)
class Node:
    """Cuts placed so far: energy, busy and late cycles of watched ports, cycles at the ends, outer transfers, bits."""

    state: State
    point: Point
    energy: float
    busy: tuple[float, ...]
    late: tuple[float, ...]
    ends: tuple[float, ...]
    outer: tuple[tuple[float, float], ...]
    used: tuple[tuple[str, int], ...]
    wider: tuple[str, int]
    path: tuple[tuple[Key, Point], ...]


@dataclass(slots=True)
class _Block:
    """Children of one node by one cut, bounds ascending; `at` is the next."""

    parent: Node
    key: Key
    region: tuple[slice, ...]
    shape: tuple[int, ...]
    chosen: IntArray
    bounds: FloatArray
    at: int = 0


@dataclass(frozen=True)
class Outcome:
    """Best plan with its figures, a lower bound of all mappings, and how much was looked at."""

    plan: Plan | None
    figures: Figures | None
    value: float
    bound: float
    nodes: int
    leaves: int


class CutSearch:
    """The search of one layer under one unrolling.

    Parameters
    ----------
    value : function of (energy, latency), numbers or arrays
        What is minimised; must not fall in either.
    """

    def __init__(self, tables: CutTables, value: Callable[..., FloatArray]) -> None:
        self.tables, self.value = tables, value
        self.costs = CutCosts(tables)
        self.least_energy = self.costs.least(self.costs.energy)
        self.places: list[Place] = []
        self.unwatched: list[Place] = []
        self.busy: list[dict[Key, FloatArray]] = []
        self.late: list[dict[Key, FloatArray]] = []
        self.least_busy: list[dict[State, FloatArray]] = []
        self.plan: Plan | None = None
        self.figures: Figures | None = None
        self.best = float("inf")
        self.eager, self.pushed = EAGER, 0
        self.open, self.nodes, self.leaves = float("inf"), 0, 0

    @cached_property
    def counter(self) -> Counter:
        """Value of the counter of complete plans; like what follows, not needed for the first bound."""
        return Counter(self.tables)

    @cached_property
    def orders(self) -> Orders:
        """Value of what completes placed cuts."""
        return Orders(self.counter)

    @cached_property
    def ends(self) -> dict[Key, FloatArray]:
        """Value of the least cycles of first and last tiles by cut."""
        return self.costs.ends()

    @cached_property
    def outer(self) -> dict[Key, tuple[FloatArray, FloatArray]]:
        """Value of cycles and share of the outer port by outermost cut."""
        found = (self.costs.outer(role) for role, levels in enumerate(self.tables.levels) if levels > 1)
        return {key: (cycles, share) for key, cycles, share in found}

    @cached_property
    def sort(self) -> dict[Key, int]:
        """Value of where the end cycles of each cut count."""
        return {key: self._sort(key) for key in self.costs.energy}

    @cached_property
    def chains(self) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
        """Value of groups of operands whose end cycles add up on one outer port, with all operands on that port."""
        return self._chains()

    def _sort(self, key: Key) -> int:
        """Return where the end cycles of a cut count.

        0: off-loading; 1 + 2 n and 2 + 2 n: on-loading of input n through ports that both inputs share, and through
        others; -1: nowhere.
        """
        role, k = key
        if k == 0:
            return -1
        if role == self.tables.output:
            return 0
        places = self.counter.place_of
        shared = [self.counter.both[places[role, k, upper]] for upper in (True, False)]
        if all(shared):
            return 1 + 2 * self.counter.inputs.index(role) if len(self.counter.inputs) > 1 else -1
        if any(shared):
            later = range(k + 1, self.tables.levels[role])
            halves = [sum(self.counter.both[places[role, n, upper]] for upper in (True, False)) == 1 for n in later]
            if any(halves) or len(self.counter.inputs) == 1:
                return -1
        return 2 + 2 * self.counter.inputs.index(role)

    def _chains(self) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
        """Return groups of operands whose end cycles add up on one outer port, with all operands on that port."""
        place = {role: self.counter.place_of[key[0], key[1], False] for key in self.outer for role in (key[0],)}
        out, found = self.tables.output, []
        for own in dict.fromkeys(place.values()):
            users = tuple(role for role in place if place[role] == own)
            inputs = [role for role in users if role != out]
            last = (out,) if out in users else ()
            joint = [role for role in inputs if self.sort[role, self.tables.levels[role] - 1] % 2]
            found.append(((*joint, *last), users))
            found += [((role, *last), users) for role in inputs if role not in joint]
        return found

    def _through(self, outer: Any) -> Any:
        """Return the least latency by the outer ports.

        What happens once may use the cycles that other transfers leave of a port, which is less than the whole run: the
        first tiles in, the last ones out, and the rest take the port for their sum at least.
        """
        worst: Any = 0.0
        for members, users in self.chains:
            share = sum(outer[role][1] for role in users)
            own = sum(outer[role][0] for role in members) + np.minimum(share, 1.0) * self.tables.total
            worst = np.maximum(worst, own)
        return worst

    def _outer(self, outer: Any, key: Key, where: Any) -> Any:
        tables = self.outer.get(key)
        if tables is None:
            return outer
        new = (tables[0][where], tables[1][where])
        return tuple(new if role == key[0] else old for role, old in enumerate(outer))

    def watch(self, place: Place) -> None:
        """Bound the stalls of a port from now on."""
        self.places.append(place)
        self.unwatched = [other for other in self.unwatched if other != place]
        busy, late = self.costs.busy(place), self.costs.late(place)
        self.busy.append(busy)
        self.late.append(late)
        self.least_busy.append(self.costs.least(busy))

    def root(self) -> Node:
        """Return the node without cuts."""
        always = [self.costs.always(place) for place in self.places]
        return Node(
            self.costs.start, self.tables.lattice.top, self.costs.always_pj, tuple(busy for busy, _ in always),
            tuple(late for _, late in always), (0.0,) * (2 * len(self.tables.roles) - 1),
            ((0.0, 0.0),) * len(self.tables.roles), (), ("", 0), (),
        )  # fmt: skip

    def bound(self) -> float:
        """Return a lower bound of every mapping."""
        root = self.root()
        top = self.tables.lattice.top
        energy = root.energy + self.least_energy[root.state][top]
        stall = max(
            (max(busy + least[root.state][top] - self.tables.total, late)
             for busy, late, least in zip(root.busy, root.late, self.least_busy, strict=True)), default=0.0,
        )  # fmt: skip
        return float(self.value(energy, self.tables.total + max(0.0, stall)))

    def run(self, nodes: int, below: float = float("inf"), stop: Callable[[], bool] = lambda: False) -> Outcome:
        """Search until nothing open is below the best value (or `below`), or `nodes` nodes were looked into.

        `stop` is asked once there is a plan.
        """
        self.best = min(self.best, below)
        heap: list[tuple[float, int, _Block]] = []
        self._follow(self.root(), heap)
        while heap and self.nodes < nodes and not (self.plan is not None and stop()):
            if self.unwatched and len(self.places) < MOST_WATCHED:  # with its stalls bounded the search starts again
                self.watch(self.unwatched[0])
                self.open, heap = float("inf"), []
                self._follow(self.root(), heap)
                continue
            if self.eager and self.nodes > nodes // 2:
                self.eager, old, heap = 0.0, heap, []
                for _, _, block in old:
                    self._push(block, heap)
            _, _, block = heappop(heap)
            if block.bounds[block.at] * ROUNDING >= self.best:
                continue
            child = self._child(block)
            block.at += 1
            self._push(block, heap)
            self._follow(child, heap)
        left = min((float(block.bounds[block.at]) for _, _, block in heap), default=float("inf"))
        bound = min(self.best, left, self.open)
        return Outcome(self.plan, self.figures, self.best, bound, self.nodes, self.leaves)

    def _follow(self, node: Node, heap: list[tuple[float, int, _Block]]) -> None:
        """Go on from `node` by the cheapest bound to a complete mapping; leave siblings on the heap."""
        while node.state != self.costs.end:
            self.nodes += 1
            blocks = [block for key in self.costs.steps(node.state) if (block := self._block(node, key)) is not None]
            if not blocks:
                return
            first = min(range(len(blocks)), key=lambda at: blocks[at].bounds[0])
            for at, block in enumerate(blocks):
                block.at = int(at == first)
                self._push(block, heap)
            blocks[first].at = 0
            node = self._child(blocks[first])
            blocks[first].at = 1
        self._leaf(node)

    def _push(self, block: _Block, heap: list[tuple[float, int, _Block]]) -> None:
        """Put a block on the heap if it has children left; in the eager half, deeper ones come earlier."""
        if block.at < len(block.bounds):
            self.pushed += 1
            left = sum(block.parent.state) - sum(self.costs.end)
            heappush(heap, (float(block.bounds[block.at]) * (1 + self.eager * left), self.pushed, block))

    def _block(self, node: Node, key: Key) -> _Block | None:
        """Return the children of `node` by placing cut `key`, those whose bound is below the best value."""
        role, k = key
        relevant = self.tables.relevant[role]
        region = tuple(
            slice(0, power + 1) if at in relevant else slice(power, power + 1) for at, power in enumerate(node.point)
        )
        after = self.costs.after(node.state, key)
        energy = node.energy + self.costs.energy[key][region]
        stall: FloatArray | float = 0.0
        for at, place_busy in enumerate(self.busy):
            own = node.busy[at] + place_busy[key][region] + self.least_busy[at][after][region] - self.tables.total
            stall = np.maximum(stall, np.maximum(own, node.late[at] + self.late[at][key][region]))
        ends = self._ended(node.ends, key, self.ends[key][region])
        latency = self.tables.total + stall + self._ending(ends)
        latency = np.maximum(latency, self._through(self._outer(node.outer, key, region)))
        bounds = self.value(energy + self.least_energy[after][region], latency)
        alive: BoolArray = np.asarray(bounds * ROUNDING < self.best)
        used: dict[str, int] = dict(node.used)
        bits: Any = 0
        name = self.costs.chains[role][k - 1] if k else ""
        if k:
            bits = self.costs.bits[key][region]
            alive = alive & (bits <= self.costs.room[name] - used.get(name, 0))
        late, more = node.wider
        if more:  # the output's last tile is of partial sums wherever a cut stands between loops that add to it
            here: Any = 0 if name != late else bits
            alive = alive & ((here + more <= self.costs.room[late] - used[late]) | ~self.costs.unfinished[region])
        if node.path and node.path[-1][0][0] > role:
            alive = alive.copy()
            alive[tuple(-1 for _ in region)] = False  # two cuts at one point: one order is enough
        chosen = np.flatnonzero(alive)
        if not len(chosen):
            return None
        flat = np.broadcast_to(bounds, alive.shape).ravel()[chosen]
        order = np.argsort(flat, kind="stable")
        return _Block(node, key, region, alive.shape, chosen[order], flat[order])

    @staticmethod
    def _ending(ends: Any) -> Any:
        """Return the cycles of on-loading and off-loading (`mappers.exchange.zigzag_latency.onloading`)."""
        off, *inputs = ends
        if len(inputs) < 4:
            return off + sum(inputs[1:])
        joint_a, alone_a, joint_b, alone_b = inputs
        first = joint_a + np.maximum(joint_b + alone_b, alone_a)
        return off + np.minimum(first, joint_b + np.maximum(joint_a + alone_a, alone_b))

    def _ended(self, ends: Any, key: Key, cycles: Any) -> Any:
        at = self.sort[key]
        return tuple(value + cycles if number == at else value for number, value in enumerate(ends))

    def _child(self, block: _Block) -> Node:
        """Return the next child of a block."""
        where = np.unravel_index(int(block.chosen[block.at]), block.shape)
        point = tuple(int(i) + part.start for i, part in zip(where, block.region, strict=True))
        return self.placed(block.parent, block.key, point)

    def _leaf(self, node: Node) -> None:
        """Complete a node and keep it if it is better."""
        self.leaves += 1
        bound = self.bound_of(node)
        if bound * ROUNDING >= self.best:
            return
        found = self.orders.complete(node.path, self.worth, bound)
        if found is not None:
            place = found[1].stalled_by
            if place is not None and place not in self.places and place not in self.unwatched:
                self.unwatched.append(place)
        if found is None or self.worth(found[1]) > bound:
            self.open = min(self.open, bound)
        if found is not None and self.worth(found[1]) < self.best:
            self.plan, self.figures = found
            self.best = self.worth(found[1])

    def bound_of(self, node: Node) -> float:
        """Return a lower bound of every mapping with all cuts of `node` at their points, whatever its loops' order."""
        pairs = zip(node.busy, node.late, strict=True)
        stall = max((max(busy - self.tables.total, late) for busy, late in pairs), default=0.0)
        latency = self.tables.total + max(0.0, stall) + float(self._ending(node.ends))
        return float(self.value(node.energy, max(latency, float(self._through(node.outer)))))

    def placed(self, node: Node, key: Key, point: Point) -> Node:
        """Return `node` with cut `key` at `point`; whether it may stand there is not asked."""
        used, wider = dict(node.used), node.wider
        role, k = key
        if wider[1] and self.costs.unfinished[point]:
            used[wider[0]] += wider[1]
            wider = ("", 0)
        if k:
            name = self.costs.chains[role][k - 1]
            used[name] = used.get(name, 0) + int(self.costs.bits[key][point])
            if role == self.tables.output:
                wider = (name, int(self.costs.wider[k][point]))
        return Node(
            self.costs.after(node.state, key), point, node.energy + float(self.costs.energy[key][point]),
            tuple(have + float(table[key][point]) for have, table in zip(node.busy, self.busy, strict=True)),
            tuple(have + float(table[key][point]) for have, table in zip(node.late, self.late, strict=True)),
            self._ended(node.ends, key, float(self.ends[key][point])), self._outer(node.outer, key, point),
            tuple(sorted(used.items())), wider, (*node.path, (key, point)),
        )  # fmt: skip

    def worth(self, figures: Figures) -> float:
        """Return the value of counted figures."""
        return float(self.value(figures.energy_pj, figures.latency_cycles))
