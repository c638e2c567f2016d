"""The lowered command list: the one thing that the event model and the RTL consume (§3.4).

Four in-order engines run the commands of a program: `load` (DRAM to scratchpad), `array`, `vector` and `store`
(scratchpad to DRAM). Synchronisation is a comparator per engine: `waits` holds pairs (engine, n), true once n commands
of that engine have completed since the start of the program. A wait may only name commands that stand earlier in the
program, so a program cannot deadlock.

Every command states the slots it writes, reads and releases. They carry no timing; the event model uses them to prove
at run time that nothing is read before it is complete or overwritten while it is live.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import gcd
from typing import Literal

from hw_models.accelerator import Dataflow
from hw_models.banking.passes import PassReads
from hw_models.systolic import FoldJob
from mappers.walk import ArrayWalk, VectorWalk, WeightPart
from workloads.errors import InternalError

Engine = Literal["load", "array", "vector", "store"]
ENGINES: tuple[Engine, ...] = ("load", "array", "vector", "store")
Memory = Literal["input", "weight", "accumulator", "operand", "output"]


@dataclass(frozen=True, slots=True)
class Slot:
    """A region of one half of a memory holding one version of one tile.

    Parameters
    ----------
    tag : int
        Identity of the content, unique in the program: a new tile in the same place has a new tag.
    offset_bytes, size_bytes : int
        Place in the half.
    """

    memory: Memory
    half: int
    offset_bytes: int
    size_bytes: int
    tag: int


@dataclass(frozen=True, slots=True)
class Transfer:
    """DMA descriptor: a contiguous run repeated over nested (count, pitch) pairs, outermost first.

    Parameters
    ----------
    address : int
        DRAM byte address of the first run.
    run_bytes : int
        Bytes of one contiguous run.
    counts, pitches_bytes : tuple of int
        Repetition of the run; equal lengths, possibly empty.
    """

    address: int
    run_bytes: int
    counts: tuple[int, ...] = ()
    pitches_bytes: tuple[int, ...] = ()

    @property
    def runs(self) -> int:
        """Value of the number of contiguous runs."""
        n = 1
        for count in self.counts:
            n *= count
        return n

    @property
    def bytes(self) -> int:
        """Value of the bytes asked for, without the overhead of unaligned beats."""
        return self.run_bytes * self.runs

    def beats(self, beat_bytes: int) -> int:
        """Return the beats on a bus of `beat_bytes`: sum over runs of ceil((address mod B + run) / B), exact.

        The offset of a run within a beat is periodic in every count, so the sum over a count needs only the
        `B / gcd(B, pitch)` distinct offsets of that axis: residues are counted, not enumerated run by run.
        """
        return _beats(self.address % beat_bytes, self.run_bytes, self.counts, self.pitches_bytes, beat_bytes)


@lru_cache(maxsize=1 << 16)
def _beats(offset: int, run_bytes: int, counts: tuple[int, ...], pitches: tuple[int, ...], beat_bytes: int) -> int:
    """Return the beats of a transfer that starts `offset` bytes into a beat; the tiles of a layer ask for few."""
    residues = {offset: 1}
    for count, pitch in zip(counts, pitches, strict=True):
        period = beat_bytes // gcd(beat_bytes, pitch)
        merged: dict[int, int] = {}
        for step in range(min(count, period)):
            times = (count - step + period - 1) // period
            for residue, number in residues.items():
                key = (residue + step * pitch) % beat_bytes
                merged[key] = merged.get(key, 0) + number * times
        residues = merged
    return sum(n * -(-(r + run_bytes) // beat_bytes) for r, n in residues.items())


@dataclass(frozen=True, slots=True)
class Command:
    """What every command has: its layer (index into `Program.layers`), its waits, its slots."""

    layer: int
    waits: tuple[tuple[Engine, int], ...]
    reads: tuple[Slot, ...]
    writes: tuple[Slot, ...]
    releases: tuple[Slot, ...]


@dataclass(frozen=True, slots=True)
class LoadCommand(Command):
    """Move a tile of `tensor` from DRAM into the one written slot; `part` says what of the weights it is, if packed.

    `dma` is the number of the load engine that runs it, where there are several.
    """

    tensor: str
    transfers: tuple[Transfer, ...]
    engine: Engine = "load"
    part: WeightPart | None = None
    dma: int = 0

    @property
    def bytes(self) -> int:
        """Value of the useful bytes moved."""
        return sum(t.bytes for t in self.transfers)


@dataclass(frozen=True, slots=True)
class StoreCommand(Command):
    """Move the one read slot to DRAM; `dma` is the number of the store engine, where there are several."""

    tensor: str
    transfers: tuple[Transfer, ...]
    engine: Engine = "store"
    dma: int = 0

    @property
    def bytes(self) -> int:
        """Value of the useful bytes moved."""
        return sum(t.bytes for t in self.transfers)


@dataclass(frozen=True, slots=True)
class ComputeCommand(Command):
    """Run a fold job on the array from an input and a weight slot into an accumulator slot.

    `accumulate` adds to the sums already in the slot. `macs` are useful MACs, ragged edges excluded.
    `input_tensor` and `weight_tensor` name the operands for the traffic table. `walk` says what is computed. `places`
    and `word_bits` are the input channels and the bits of weights that a PE takes at once. `bank_reads` says what the
    array reads from scratchpads with banks; None on a machine without.
    """

    dataflow: Dataflow
    job: FoldJob
    accumulate: bool
    macs: int
    input_tensor: str
    weight_tensor: str
    output_tensor: str
    engine: Engine = "array"
    walk: ArrayWalk | None = None
    places: int = 1
    word_bits: int = 8
    bank_reads: PassReads | None = None


@dataclass(frozen=True, slots=True)
class VectorCommand(Command):
    """Process `rows` rows of `row_elements` elements: `simple_passes` chained and `special_passes` special passes.

    `operations` counts lane operations for energy. `read_bytes` and `write_bytes` give the bytes moved per slot of
    `reads` and `writes`, and `tensors_read`/`tensors_written` their tensors, in the same order. `walk` says what is
    computed, where the command follows the array.
    """

    op: str
    rows: int
    row_elements: int
    simple_passes: int
    special_passes: int
    operations: int
    read_bytes: tuple[int, ...]
    write_bytes: tuple[int, ...]
    tensors_read: tuple[str, ...]
    tensors_written: tuple[str, ...]
    engine: Engine = "vector"
    walk: VectorWalk | None = None


AnyCommand = LoadCommand | StoreCommand | ComputeCommand | VectorCommand


@dataclass(frozen=True, slots=True)
class LayerRecord:
    """One entry of a program's layer table: a group of network layers that run as one.

    Parameters
    ----------
    name, op : str
        Of the leading layer.
    fused : tuple of str
        Names of the network layers run in its shadow (requantise, ReLU, residual add, pool).
    dims : tuple of (str, int)
        Loop dimensions of a MAC layer; element counts of a vector layer.
    macs : int
        Useful MACs.
    """

    name: str
    op: str
    fused: tuple[str, ...]
    dims: tuple[tuple[str, int], ...]
    macs: int
    placement: Literal["array", "vector unit", "data movement"]


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Program:
    """A command list for one accelerator.

    Parameters
    ----------
    commands : tuple of AnyCommand
        In global order; the order of one engine is the order here.
    dram_bytes : int
        Size of the DRAM image the addresses refer to.
    """

    workload: str
    accelerator: str
    layers: tuple[LayerRecord, ...]
    commands: tuple[AnyCommand, ...]
    dram_bytes: int

    def __post_init__(self) -> None:
        seen = dict.fromkeys(ENGINES, 0)
        for index, command in enumerate(self.commands):
            for engine, count in command.waits:
                if count > seen[engine]:
                    raise InternalError(
                        f"program '{self.workload}': command {index} ({command.engine}) waits for {count} {engine} "
                        f"commands, only {seen[engine]} stand before it; the lowering is wrong"
                    )
            if not 0 <= command.layer < len(self.layers):
                raise InternalError(
                    f"program '{self.workload}': command {index} names layer {command.layer}, of {len(self.layers)}"
                )
            seen[command.engine] += 1
