"""What the joint model decides about: operators with their options, tensors, capacity, channel, energies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from mappers.network.cost import Option
from workloads.errors import InputError


@dataclass(frozen=True, slots=True)
class JointOperator:
    """An operator: tensors it reads (constants too), the one it makes, and its options over all cores."""

    name: str
    inputs: tuple[str, ...]
    output: str
    options: tuple[Option, ...]


@dataclass(frozen=True)
class JointProblem:
    """What is to be decided.

    Parameters
    ----------
    operators : tuple of JointOperator
        In a topological order.
    bytes_of : mapping of str to int
    outputs : frozenset of str
        Tensors that must end in DRAM.
    capacity_bytes : int
    bytes_per_cycle : Fraction
        Of the channel.
    dram_pj, write_pj, read_pj : Fraction
        Energy of a byte over the channel, and into and out of the shared scratchpad by DMA.
    """

    operators: tuple[JointOperator, ...]
    bytes_of: Mapping[str, int]
    outputs: frozenset[str]
    capacity_bytes: int
    bytes_per_cycle: Fraction
    dram_pj: Fraction = Fraction(0)
    write_pj: Fraction = Fraction(0)
    read_pj: Fraction = Fraction(0)
    maker: dict[str, int] = field(init=False)
    readers: dict[str, list[int]] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "maker", {op.output: o for o, op in enumerate(self.operators)})
        readers: dict[str, list[int]] = {name: [] for name in self.bytes_of}
        for o, op in enumerate(self.operators):
            if not op.options:
                raise InputError(f"joint model: operator '{op.name}' has no option; no core runs it")
            for name in op.inputs:
                readers[name].append(o)
        object.__setattr__(self, "readers", readers)

    def touches(self, tensor: str) -> list[int]:
        """Return the operators that make or read `tensor`."""
        made = [self.maker[tensor]] if tensor in self.maker else []
        return sorted({*made, *self.readers[tensor]})

    def streamed(self, option: Option, op: JointOperator, tensor: str) -> int:
        """Return the bytes that `op` moves over the channel for `tensor` by `option` if it streams."""
        return option.written_bytes if tensor == op.output else option.reads(tensor)

    def moved_when_resident(self, o: int, tensor: str) -> int:
        """Return the bytes that `o` moves for `tensor` if it stays: its load with the first reader, its final store."""
        op = self.operators[o]
        if tensor == op.output:
            return self.bytes_of[tensor] if tensor in self.outputs else 0
        return self.bytes_of[tensor] if tensor not in self.maker and self.readers[tensor][0] == o else 0

    def loads(self, o: int) -> list[tuple[str, int]]:
        """Return what operator `o` loads whole before it starts, if it stays, with its bytes."""
        op = self.operators[o]
        sizes = [(name, self.moved_when_resident(o, name)) for name in dict.fromkeys(op.inputs)]
        return [(name, size) for name, size in sizes if size]

    def byte_pj(self, o: int, tensor: str) -> Fraction:
        """Return the energy of one byte of `tensor` that `o` moves: channel, and the DMA side of the scratchpad."""
        return self.dram_pj + (self.read_pj if tensor == self.operators[o].output else self.write_pj)


def evaluate(
    problem: JointProblem, order: Sequence[int], options: Sequence[int], resident: frozenset[str]
) -> tuple[Fraction, Fraction] | None:
    """Return exact (latency, energy) of a decision in the model's terms, or None if it exceeds the capacity."""
    place = {o: t for t, o in enumerate(order)}
    ends: dict[int, Fraction] = {}
    free: dict[str, Fraction] = {}
    total = 0
    energy = Fraction(0)
    for t, o in enumerate(order):
        op, option = problem.operators[o], problem.operators[o].options[options[o]]
        moved, held = 0, 0
        energy += option.energy_pj
        for name in dict.fromkeys((*op.inputs, op.output)):
            size = problem.moved_when_resident(o, name) if name in resident else problem.streamed(option, op, name)
            moved += size
            energy += size * problem.byte_pj(o, name)
            if name not in resident:
                held += dict(option.stage_bytes).get(name, 0)
        for name in resident:
            steps = [place[p] for p in problem.touches(name)]
            held += problem.bytes_of[name] if min(steps) <= t <= max(steps) else 0
        if held > problem.capacity_bytes:
            return None
        total += moved
        loaded = sum(size for name, size in problem.loads(o) if name in resident)
        begin = max([ends[problem.maker[n]] for n in op.inputs if n in problem.maker] + [Fraction(0)])
        begin = max(begin, free.get(option.core, Fraction(0)))
        ends[o] = free[option.core] = begin + max(
            option.cycles + loaded / problem.bytes_per_cycle, moved / problem.bytes_per_cycle
        )
    return max(*ends.values(), total / problem.bytes_per_cycle), energy
