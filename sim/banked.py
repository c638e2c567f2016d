"""Passes and vector commands that wait for banks of a scratchpad, for the event model.

A pass stays one event: how long its reads take is counted over the pattern of their addresses
(`hw_models.banking.passes`), not access by access.
"""

from __future__ import annotations

from hw_models.accelerator import Core
from hw_models.banking.passes import PassClock, PassTimes, row_cycles
from mappers.commands import ComputeCommand, VectorCommand
from workloads.errors import InternalError


class BankTiming:
    """Times of the commands of one core whose scratchpads have banks."""

    def __init__(self, core: Core) -> None:
        self._core, self._clock = core, PassClock(core)
        banks = core.accumulator.banks
        self._sums_cycles = row_cycles(core.vector.lanes, core.accumulator_bytes, banks)

    def pass_times(self, command: ComputeCommand) -> PassTimes:
        """Return the times of the folds of `command`.

        Raises
        ------
        InternalError
            If the command does not say what it reads, or says it of another job.
        """
        if command.bank_reads is None:
            raise InternalError(
                f"command on '{command.output_tensor}': does not say what it reads from banks; lower the network again "
                f"for this machine"
            )
        times = self._clock.times(command.dataflow, command.bank_reads)
        if times.folds != command.job.folds:
            raise InternalError(
                f"command on '{command.output_tensor}': reads for {times.folds} folds, its job has "
                f"{command.job.folds}; the lowering is wrong"
            )
        return times

    def vector_extra_cycles(self, command: VectorCommand) -> int:
        """Return by how much reading sums from their banks makes `command` longer."""
        if not any(slot.memory == "accumulator" for slot in command.reads):
            return 0
        unit = self._core.vector
        steps = command.rows * -(-command.row_elements // unit.lanes)
        each = command.simple_passes * unit.simple_cycles + command.special_passes * unit.special_cycles
        return steps * max(0, self._sums_cycles - each)
