"""Tensor graphs: named tensors of so many bytes, and the operators that read and write them.

Nothing else of a network matters to the question what lies in the scratchpad when. An operator is atomic: while it
runs all its inputs and outputs are resident. Tensors that no operator writes are *sources* (network inputs, weights):
they lie in host memory from the start.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from heapq import heapify, heappop, heappush

from workloads.errors import InputError
from workloads.nearest import nearest

MAX_BYTES = 1 << 48


@dataclass(frozen=True, slots=True)
class GraphTensor:
    """A tensor: its name and its size, in bytes (1..2**48)."""

    name: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator: its name and the names of the tensors it reads and writes.

    A tensor that is read twice is listed twice and counted once.
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class TensorGraph:
    """A directed acyclic graph of operators over tensors.

    Parameters
    ----------
    tensors : tuple of GraphTensor
    operators : tuple of Operator
        The order in which they are listed is the fixed schedule.
    name : str
        For messages.

    Raises
    ------
    InputError
        If the graph is not sound; every mistake is listed.

    Examples
    --------
    >>> graph = TensorGraph(
    ...     (GraphTensor("A", 60), GraphTensor("B", 10)), (Operator("f", (), ("A",)), Operator("g", ("A",), ("B",)))
    ... )
    >>> graph.widest_operator_bytes
    70
    """

    tensors: tuple[GraphTensor, ...]
    operators: tuple[Operator, ...]
    name: str = "graph"

    def __post_init__(self) -> None:
        mistakes = _mistakes(self)
        if not mistakes and len(self.topological) < len(self.operators):
            stuck = [op.name for i, op in enumerate(self.operators) if i not in set(self.topological)]
            named = ", ".join(repr(name) for name in stuck[:8])
            mistakes = [f"operators {named} wait for each other; break the cycle"]
        if mistakes:
            head = f"tensor graph '{self.name}': {len(mistakes)} mistake{'s' * (len(mistakes) > 1)}"
            raise InputError("\n  ".join([head, *mistakes]))

    # --- by index -----------------------------------------------------------------------------------------------------

    @cached_property
    def index(self) -> dict[str, int]:
        """Value of the position of each tensor by name."""
        return {tensor.name: i for i, tensor in enumerate(self.tensors)}

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Value of the size of each tensor, in bytes."""
        return tuple(tensor.size_bytes for tensor in self.tensors)

    @cached_property
    def reads(self) -> tuple[tuple[int, ...], ...]:
        """Value of the tensors that each operator reads, each once."""
        return tuple(tuple(dict.fromkeys(self.index[n] for n in op.inputs)) for op in self.operators)

    @cached_property
    def writes(self) -> tuple[tuple[int, ...], ...]:
        """Value of the tensors that each operator writes."""
        return tuple(tuple(self.index[n] for n in op.outputs) for op in self.operators)

    @cached_property
    def producer(self) -> tuple[int, ...]:
        """Value of the operator that writes each tensor; -1 for sources."""
        found = [-1] * len(self.tensors)
        for i, written in enumerate(self.writes):
            for a in written:
                found[a] = i
        return tuple(found)

    @cached_property
    def readers(self) -> tuple[tuple[int, ...], ...]:
        """Value of the operators that read each tensor, in listed order."""
        found: list[list[int]] = [[] for _ in self.tensors]
        for i, read in enumerate(self.reads):
            for a in read:
                found[a].append(i)
        return tuple(map(tuple, found))

    @cached_property
    def before(self) -> tuple[tuple[int, ...], ...]:
        """Value of the operators whose outputs each operator reads, each once."""
        return tuple(
            tuple(dict.fromkeys(self.producer[a] for a in read if self.producer[a] >= 0)) for read in self.reads
        )

    @cached_property
    def topological(self) -> tuple[int, ...]:
        """Value of the listed order where it is topological; else the nearest order that is (least index first)."""
        waiting = [len(b) for b in self.before]
        after: list[list[int]] = [[] for _ in self.operators]
        for i, earlier in enumerate(self.before):
            for j in earlier:
                after[j].append(i)
        ready = [i for i, count in enumerate(waiting) if not count]
        heapify(ready)
        order = []
        while ready:
            i = heappop(ready)
            order.append(i)
            for j in after[i]:
                waiting[j] -= 1
                if not waiting[j]:
                    heappush(ready, j)
        return tuple(order)

    # --- sizes --------------------------------------------------------------------------------------------------------

    def operator_bytes(self, operator: int) -> int:
        """Return what must be resident while `operator` (an index) runs: inputs and outputs, each once, in bytes."""
        return sum(self.sizes[a] for a in {*self.reads[operator], *self.writes[operator]})

    @property
    def widest_operator_bytes(self) -> int:
        """Value of M_R: the most bytes that one operator needs. Below it there is no plan."""
        return max(self.operator_bytes(i) for i in range(len(self.operators)))

    def listed_order(self) -> tuple[int, ...]:
        """Return the listed order.

        Raises
        ------
        InputError
            If an operator is listed before one whose output it reads.
        """
        place = range(len(self.operators))
        for i in place:
            for j in self.before[i]:
                if j > i:
                    raise InputError(
                        f"tensor graph '{self.name}': operator '{self.operators[i].name}' is listed before "
                        f"'{self.operators[j].name}', whose output it reads; list them in order or use --schedule free"
                    )
        return tuple(place)


def _mistakes(graph: TensorGraph) -> list[str]:
    """Return what is wrong with names, sizes and producers."""
    found = []
    if not graph.operators:
        found.append("there is no operator; give at least one")
    names: dict[str, None] = {}
    for tensor in graph.tensors:
        if not tensor.name:
            found.append("a tensor has an empty name; give it one")
        if tensor.name in names:
            found.append(f"two tensors are called '{tensor.name}'; rename one")
        names[tensor.name] = None
        if isinstance(tensor.size_bytes, bool) or not 1 <= tensor.size_bytes <= MAX_BYTES:
            found.append(
                f"tensor '{tensor.name}' has {tensor.size_bytes} bytes, bound is 1..{MAX_BYTES}; "
                "correct the size or leave the tensor out"
            )
    seen: set[str] = set()
    maker: dict[str, str] = {}
    used: set[str] = set()
    for op in graph.operators:
        if not op.name:
            found.append("an operator has an empty name; give it one")
        if op.name in seen:
            found.append(f"two operators are called '{op.name}'; rename one")
        seen.add(op.name)
        if not op.outputs:
            found.append(f"operator '{op.name}' writes no tensor; give it an output or leave it out")
        found += [
            f"operator '{op.name}' uses tensor '{name}', which does not exist{nearest(name, names)}"
            for name in dict.fromkeys((*op.inputs, *op.outputs))
            if name not in names
        ]
        used.update(op.inputs, op.outputs)
        for name in op.outputs:
            if name in maker:
                found.append(f"tensor '{name}' is written by '{maker[name]}' and by '{op.name}'; keep one")
            maker.setdefault(name, op.name)
        if both := sorted({*op.inputs} & {*op.outputs}):
            found.append(f"operator '{op.name}' both reads and writes tensor '{both[0]}'; give the output its own name")
    found += [f"tensor '{n}' is used by no operator; connect it or remove it" for n in names if n and n not in used]
    return found
