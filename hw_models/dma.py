"""DMA engines: how many, what each serves, and how a command is cut into descriptors and requests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from workloads.errors import InputError

LoadedMemory = Literal["input", "weight", "accumulator", "operand"]
LOADED: tuple[LoadedMemory, ...] = get_args(LoadedMemory)
MAX_ENGINES = 4
MAX_DIMENSIONS = 8
MAX_SETUP_CYCLES = 1 << 20


@dataclass(frozen=True, slots=True)
class LoadEngine:
    """One of several load engines, in order by itself.

    Parameters
    ----------
    serves : tuple of str
        Memories that it fills.
    outstanding : int
        Its commands with requests in flight.
    """

    name: str
    serves: tuple[LoadedMemory, ...]
    outstanding: int


@dataclass(frozen=True, slots=True)
class Host:
    """A processor that hands the commands to the engines, one after the other in program order.

    Parameters
    ----------
    interval_cycles : int
        From one command to the next.
    depth : int
        Commands that an engine takes in before it has issued them; the host waits while the queue of the next
        command's engine is full.
    """

    interval_cycles: int
    depth: int

    def __post_init__(self) -> None:
        for key, value, least, most in (
            ("interval", self.interval_cycles, 0, MAX_SETUP_CYCLES),
            ("depth", self.depth, 1, 1 << 24),
        ):
            if not least <= value <= most:
                raise InputError(f"dma.host: {key} is {value}, bound is {least}..{most}; choose a number in it")


@dataclass(frozen=True, slots=True)
class Dma:
    """Load and store engines.

    Parameters
    ----------
    outstanding : int
        Load commands that may have requests in flight, and store commands; of a listed engine its own number counts.
    issue_cycles : int
        The sequencer's time to issue one command on any engine.
    engines : tuple of LoadEngine
        Load engines side by side; empty: one for everything. Loads complete for the rest of the machine in program
        order, whatever engine brought them.
    max_burst_bytes : int, optional
        Greatest request; runs are cut where their addresses are multiples of it. None: a run is one request.
    requests : int, optional
        Requests of one engine in flight. None: as many as its commands need.
    descriptor_dimensions : int, optional
        Nested counts of one descriptor, the run included: 1 a run, 2 rows with a stride, 3 planes of rows. A transfer
        of more is several descriptors. None: any transfer is one.
    descriptor_cycles : int
        Time of an engine to fetch and set up a descriptor, before its first request; the next one is set up meanwhile.
    host : Host, optional
        Who hands out the commands of all engines. None: every engine has its commands from the start.
    store_engines : int
        Store engines side by side; the stores of a program take turns between them, and complete for the rest of the
        machine in program order.
    """

    outstanding: int
    issue_cycles: int
    engines: tuple[LoadEngine, ...] = ()
    max_burst_bytes: int | None = None
    requests: int | None = None
    descriptor_dimensions: int | None = None
    descriptor_cycles: int = 0
    host: Host | None = None
    store_engines: int = 1

    def __post_init__(self) -> None:
        bounds: tuple[tuple[str, int | None, int, int], ...] = (
            ("outstanding", self.outstanding, 1, 1 << 24),
            ("max_burst", self.max_burst_bytes, 1, 1 << 24),
            ("requests", self.requests, 1, 1 << 24),
            ("descriptor_dimensions", self.descriptor_dimensions, 1, MAX_DIMENSIONS),
            ("descriptor", self.descriptor_cycles, 0, MAX_SETUP_CYCLES),
            ("store_engines", self.store_engines, 1, MAX_ENGINES),
        )
        for key, value, least, most in bounds:
            if value is not None and not least <= value <= most:
                raise InputError(f"dma: {key} is {value}, bound is {least}..{most}; choose a number in it")
        if self.issue_cycles < 0:
            raise InputError(f"dma: issue_cycles is {self.issue_cycles}, bound is >= 0; correct it")
        if self.engines:
            self._check_engines()

    def _check_engines(self) -> None:
        if len(self.engines) > MAX_ENGINES:
            raise InputError(f"dma: {len(self.engines)} engines, bound is {MAX_ENGINES}; remove some")
        names = [engine.name for engine in self.engines]
        if len(set(names)) != len(names):
            raise InputError(f"dma: an engine name is given twice ({', '.join(names)}); rename one")
        served = [memory for engine in self.engines for memory in engine.serves]
        if sorted(served) != sorted(LOADED):
            raise InputError(
                f"dma: engines serve {', '.join(served) or 'nothing'}; each of {', '.join(LOADED)} must be served by "
                f"one engine"
            )

    @property
    def load_engines(self) -> int:
        """Value of the load engines."""
        return max(1, len(self.engines))

    @property
    def load_slots(self) -> int:
        """Value of the load commands that may have requests in flight, of all engines together."""
        return sum(engine.outstanding for engine in self.engines) or self.outstanding

    @property
    def store_slots(self) -> int:
        """Value of the store commands that may have requests in flight, of all engines together."""
        return self.outstanding * self.store_engines

    @property
    def streams(self) -> int:
        """Value of the streams of each direction on the memory: one per engine."""
        return max(self.load_engines, self.store_engines)

    @property
    def sends_requests(self) -> bool:
        """Value telling whether commands go to memory request by request and not whole."""
        limits = (self.max_burst_bytes, self.requests, self.descriptor_dimensions)
        return any(limit is not None for limit in limits) or self.descriptor_cycles > 0

    def engine_of(self, memory: str) -> int:
        """Return the number of the load engine that fills `memory`."""
        return next((n for n, engine in enumerate(self.engines) if memory in engine.serves), 0)

    def engine_slots(self, number: int) -> int:
        """Return the commands of load engine `number` that may have requests in flight."""
        return self.engines[number].outstanding if self.engines else self.outstanding
