"""Bytes moved and energy spent per layer, counted from the commands, exact until the last step (§3.10).

Scratchpad traffic of the array comes from `hw_models.array_timing.accesses_of`: ragged folds clock zeros, which are
accesses but not MACs. DRAM counts the bytes of the descriptors. Leakage, clock tree and control are not in any figure.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from hw_models.accelerator import Accelerator
from hw_models.array_timing import accesses_of
from mappers.commands import (
    AnyCommand,
    ComputeCommand,
    LoadCommand,
    Memory,
    Program,
    Slot,
    StoreCommand,
    VectorCommand,
)
from mappers.kinds import kinds_of

LEVELS = ("dram", "input", "weight", "accumulator", "staging")
COMPONENTS = ("mac", "input", "weight", "accumulator", "staging", "dram", "vector")
Traffic = dict[str, dict[str, dict[str, int]]]
LEVEL_OF: dict[Memory, str] = {
    "input": "input",
    "weight": "weight",
    "accumulator": "accumulator",
    "operand": "staging",
    "output": "staging",
}


@dataclass(slots=True)
class Ledger:
    """Events of one layer: useful MACs, lane operations, bytes per level, tensor and direction."""

    macs: int = 0
    vector_operations: int = 0
    traffic: Traffic = field(default_factory=lambda: {level: {} for level in LEVELS})

    def move(self, level: str, tensor: str, direction: str, moved_bytes: int) -> None:
        """Add `moved_bytes` of `tensor` moved at `level`; `direction` is ``read`` or ``write``."""
        flow = self.traffic[level].setdefault(tensor, {"read": 0, "write": 0})
        flow[direction] += moved_bytes

    def add(self, other: Ledger, times: int) -> None:
        """Add the events of `other`, each `times` times."""
        self.macs += times * other.macs
        self.vector_operations += times * other.vector_operations
        for level, tensors in other.traffic.items():
            for tensor, flow in tensors.items():
                for direction, moved in flow.items():
                    self.move(level, tensor, direction, times * moved)

    def moved_bytes(self, level: str, direction: str) -> int:
        """Return the bytes of all tensors moved at `level`."""
        return sum(flow[direction] for flow in self.traffic[level].values())


def count(program: Program, accelerator: Accelerator) -> list[Ledger]:
    """Return one ledger per layer of `program`."""
    ledgers = [Ledger() for _ in program.layers]
    kinds = kinds_of(program, accelerator.dram.beat_bytes)
    for command, times in zip(kinds.samples, kinds.times, strict=True):
        one = Ledger()
        count_command(one, command, accelerator)
        ledgers[command.layer].add(one, times)
    return ledgers


def count_command(ledger: Ledger, command: AnyCommand, accelerator: Accelerator) -> None:
    """Add what `command` computes and moves to `ledger`."""
    if isinstance(command, LoadCommand):
        ledger.move("dram", command.tensor, "read", command.bytes)
        ledger.move(_level(command.writes[0]), command.tensor, "write", command.bytes)
    elif isinstance(command, StoreCommand):
        ledger.move(_level(command.reads[0]), command.tensor, "read", command.bytes)
        ledger.move("dram", command.tensor, "write", command.bytes)
    elif isinstance(command, ComputeCommand):
        ledger.macs += command.macs
        _count_array(ledger, command, accelerator)
    else:
        _count_vector(ledger, command)


def _level(slot: Slot) -> str:
    return LEVEL_OF[slot.memory]


def _count_array(ledger: Ledger, command: ComputeCommand, accelerator: Accelerator) -> None:
    array = accelerator.core.array
    moved = accesses_of(array, command.dataflow, command.job, command.accumulate)
    sums = accelerator.core.accumulator_bytes
    input_bits = moved.input_reads * command.places * array.input_format.bits
    ledger.move("input", command.input_tensor, "read", -(-input_bits // 8))
    ledger.move("weight", command.weight_tensor, "read", -(-moved.weight_reads * command.word_bits // 8))
    ledger.move("accumulator", command.output_tensor, "read", moved.accumulator_reads * sums)
    ledger.move("accumulator", command.output_tensor, "write", moved.accumulator_writes * sums)


def _count_vector(ledger: Ledger, command: VectorCommand) -> None:
    ledger.vector_operations += command.operations
    for slot, moved, tensor in zip(command.reads, command.read_bytes, command.tensors_read, strict=True):
        ledger.move(_level(slot), tensor, "read", moved)
    for slot, moved, tensor in zip(command.writes, command.write_bytes, command.tensors_written, strict=True):
        ledger.move(_level(slot), tensor, "write", moved)


def byte_energy_pj(accelerator: Accelerator) -> dict[str, tuple[Fraction, Fraction]]:
    """Return the energy of one byte (read, written) per level, in pJ."""
    core = accelerator.core
    return {
        "dram": (accelerator.dram.energy_pj_per_byte, accelerator.dram.energy_pj_per_byte),
        "input": (core.input.read_pj_per_byte, core.input.write_pj_per_byte),
        "weight": (core.weight.read_pj_per_byte, core.weight.write_pj_per_byte),
        "accumulator": (core.accumulator.read_pj_per_byte, core.accumulator.write_pj_per_byte),
        "staging": (core.vector.buffer_pj_per_byte, core.vector.buffer_pj_per_byte),
    }


def energy_pj(ledger: Ledger, accelerator: Accelerator) -> dict[str, Fraction]:
    """Return the exact energy of one layer per component, in pJ."""
    per_byte = byte_energy_pj(accelerator)
    moved = {
        level: ledger.moved_bytes(level, "read") * read + ledger.moved_bytes(level, "write") * write
        for level, (read, write) in per_byte.items()
    }
    core = accelerator.core
    exact = {"mac": ledger.macs * core.array.mac_pj, "vector": ledger.vector_operations * core.vector.op_pj, **moved}
    return {component: exact[component] for component in COMPONENTS}
