"""Several cores, a program each, on one memory: contention between command streams, tile by tile.

Each core has its own engines and scratchpads; only the memory is shared. A channel of fixed latency goes round the
streams that want it, burst by burst (core 0 reads, core 0 writes, core 1 reads, ...); a DRAM with timing takes one
burst per tick from its ports in turn and reorders among what it holds (`sim.dram.controller`). Programs start together;
their addresses are their own, so `bases` moves each to its part of the memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import simpy

from hw_models.accelerator import Accelerator
from mappers.commands import AnyCommand, LoadCommand, Program, StoreCommand, Transfer
from sim.channel import Channel
from sim.machine import Machine, open_channel
from sim.progress import drive
from sim.raw_run import Run
from workloads.errors import InputError


@dataclass(frozen=True, slots=True)
class SharedRun:
    """Outcome of programs on one memory.

    Parameters
    ----------
    cycles : int
        End of the last one.
    runs : tuple of Run
        One per program; `bus` and `dram` of each are those of the whole memory.
    joined_beats : int
        Beats that one transfer brought to several cores and that were not moved again.
    """

    cycles: int
    runs: tuple[Run, ...]
    joined_beats: int = 0


def moved(program: Program, base: int, *, but_weights: bool = False) -> Program:
    """Return `program` with every DRAM address raised by `base` bytes, `but_weights` all but those of its weights."""
    if not base:
        return program

    def move(command: AnyCommand) -> AnyCommand:
        if not isinstance(command, LoadCommand | StoreCommand):
            return command
        if but_weights and isinstance(command, LoadCommand) and command.part is not None:
            return command
        return replace(command, transfers=tuple(replace(t, address=t.address + base) for t in command.transfers))

    return replace(
        program, dram_bytes=program.dram_bytes + base, commands=tuple(move(command) for command in program.commands)
    )


def run_shared(
    programs: Sequence[Program],
    accelerators: Sequence[Accelerator],
    bases: Sequence[int] = (),
    *,
    fast_forward: bool = True,
    multicast: bool = False,
    one_copy_of_weights: bool = False,
) -> SharedRun:
    """Run each program on its accelerator, all on the memory of the first.

    Parameters
    ----------
    bases : sequence of int, optional
        Byte address at which each program's memory image starts; one after the other if left out.
    fast_forward : bool
        Leave out periods in which all programs together repeat exactly; the outcome is the same.
    multicast : bool
        A load joins an equal one of another core that waits and has not begun: one transfer serves both. Whoever joins
        stays in order. Only on a channel of fixed latency.
    one_copy_of_weights : bool
        The programs are one network (on several inputs): packed weights are those of the first memory image.

    Raises
    ------
    InputError
        If the accelerators differ in memory or clock, or their number is not that of the programs.
    """
    if not programs or len(programs) != len(accelerators) or (bases and len(bases) != len(programs)):
        raise InputError(
            f"shared memory: {len(programs)} programs, {len(accelerators)} accelerators, {len(bases)} bases; "
            f"give one of each per core"
        )
    first = accelerators[0]
    for other in accelerators[1:]:
        if other.dram != first.dram or other.clock_mhz != first.clock_mhz:
            raise InputError(
                f"shared memory: '{other.name}' has another memory or clock than '{first.name}'; give the same of both"
            )
        if other.core.dma.streams != first.core.dma.streams:
            raise InputError(
                f"shared memory: '{other.name}' has {other.core.dma.streams} load or store engines, '{first.name}' "
                f"{first.core.dma.streams}; give every core the same number"
            )
    if multicast and first.dram.device is not None:
        raise InputError(
            f"shared memory: multicast on '{first.dram.name}', which has timing; use a channel of fixed latency"
        )
    if one_copy_of_weights and bases and bases[0]:
        raise InputError(f"shared memory: one copy of weights with the first image at {bases[0]}; let it start at 0")
    if one_copy_of_weights and len({_weights(program) for program in programs}) > 1:
        raise InputError("shared memory: one copy of weights for programs whose weights differ; give one network")
    places = list(bases) if bases else _one_after_the_other(programs, first.dram.beat_bytes)
    env = simpy.Environment()
    channel = open_channel(env, first, len(programs), fast_forward=fast_forward)
    if isinstance(channel, Channel):
        channel.multicast = multicast
    machines = [
        Machine(moved(program, base, but_weights=one_copy_of_weights), accelerator, env, channel, core)
        for core, (program, accelerator, base) in enumerate(zip(programs, accelerators, places, strict=True))
    ]
    for machine in machines:
        machine.start()
    skipped = drive(env, channel, machines, fast_forward=fast_forward and not multicast)
    runs = tuple(replace(machine.outcome(), skipped=n) for machine, n in zip(machines, skipped, strict=True))
    joined = channel.joined_beats if isinstance(channel, Channel) else 0
    return SharedRun(max(run.cycles for run in runs), runs, joined)


def _weights(program: Program) -> tuple[tuple[Transfer, ...], ...]:
    """Return where `program` has its packed weights."""
    loads = (command for command in program.commands if isinstance(command, LoadCommand))
    return tuple(command.transfers for command in loads if command.part is not None)


def _one_after_the_other(programs: Sequence[Program], align_bytes: int) -> list[int]:
    places, at = [], 0
    for program in programs:
        places.append(at)
        at += -(-program.dram_bytes // align_bytes) * align_bytes
    return places
