"""Row-stationary array after Eyeriss: PEs with memories of their own, a banked global buffer, four buses.

A PE holds rows of `p` filters and `q` channels, slides one row of the image under them and keeps `p` partial sums. A
set of R x e PEs (filter rows by output rows) makes `e` output rows; sets stand side by side in the array and share
channels (`r`) or filters (`t`). Names p, q, r, t, m, n, e are those of Chen et al., ISCA 2016.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from hw_models.accelerator import Accelerator
from workloads.errors import InputError


@dataclass(frozen=True, slots=True)
class RowStationaryArray:
    """Array, PE memories, global buffer and buses.

    Parameters
    ----------
    rows, cols : int
        Of PEs.
    filter_words, ifmap_words, psum_words : int
        Memories inside a PE, in words.
    buffer_banks, bank_bytes : int
        Global buffer for image and partial sums; a bank belongs to one of the two for a layer.
    filter_buffer_bytes : int
        Buffer in which the filters of the next pass wait.
    filter_bus_words, ifmap_bus_words, psum_in_bus_words, psum_out_bus_words : int
        Words per cycle between global buffer and array.
    memory_bytes_per_cycle : Fraction
        Bandwidth of the memory channel.
    """

    name: str
    clock_mhz: Fraction
    rows: int
    cols: int
    word_bytes: int
    filter_words: int
    ifmap_words: int
    psum_words: int
    buffer_banks: int
    bank_bytes: int
    filter_buffer_bytes: int
    filter_bus_words: int
    ifmap_bus_words: int
    psum_in_bus_words: int
    psum_out_bus_words: int
    memory_bytes_per_cycle: Fraction
    latency_cycles: int = 0

    def __post_init__(self) -> None:
        for key in (
            "rows", "cols", "word_bytes", "filter_words", "ifmap_words", "psum_words", "buffer_banks", "bank_bytes",
            "filter_buffer_bytes", "filter_bus_words", "ifmap_bus_words", "psum_in_bus_words", "psum_out_bus_words",
        ):  # fmt: skip
            value = getattr(self, key)
            if value < 1:
                raise InputError(f"array '{self.name}': {key} is {value}, bound is >= 1; give a positive integer")
        if self.clock_mhz <= 0 or self.memory_bytes_per_cycle <= 0 or self.latency_cycles < 0:
            raise InputError(
                f"array '{self.name}': clock_mhz and memory_bytes_per_cycle are > 0, latency_cycles >= 0; correct them"
            )

    @property
    def pes(self) -> int:
        """Value of rows times columns."""
        return self.rows * self.cols


@dataclass(frozen=True, slots=True)
class RowMapping:
    """How a layer lies on the array.

    Parameters
    ----------
    filters : int
        m: filters whose partial sums stay in the global buffer.
    images : int
        n: images of a pass.
    rows : int
        e: output rows of a pass.
    pe_filters, pe_channels : int
        p and q: filters and channels inside a PE.
    set_channels, set_filters : int
        r and t: PE sets that share the outputs (other channels) and that share the image (other filters). The former
        stand one above the other, for partial sums move up a column of PEs.
    """

    filters: int
    images: int
    rows: int
    pe_filters: int
    pe_channels: int
    set_channels: int
    set_filters: int

    @property
    def pass_filters(self) -> int:
        """Value of p t."""
        return self.pe_filters * self.set_filters

    @property
    def pass_channels(self) -> int:
        """Value of q r."""
        return self.pe_channels * self.set_channels


def row_stationary_array(accelerator: Accelerator) -> RowStationaryArray:
    """Return the row-stationary array of `accelerator`.

    The global buffer is the input and the accumulator scratchpad together; the weight scratchpad holds the next
    filters.

    Raises
    ------
    InputError
        If the array has no `pe_memories`, or words of several widths, or the machine has parts that passes do not know.
    """
    core, array = accelerator.core, accelerator.core.array
    _refuse_unknown(accelerator)
    inside = array.pe_memories
    if inside is None:
        raise InputError(
            f"accelerator '{accelerator.name}': array.pe_memories is missing; a {array.kind} array is not run in "
            f"passes without it, give the memories and buses of a PE"
        )
    bits = {array.input_format.bits, array.weight_format.bits, array.accumulator_format.bits}
    if len(bits) > 1 or min(bits) % 8:
        raise InputError(
            f"accelerator '{accelerator.name}': row-stationary words of {sorted(bits)} bits, bound is one width of "
            f"whole bytes; give input, weight and accumulator the same format"
        )
    buffer = core.input.capacity_bytes + core.accumulator.capacity_bytes
    return RowStationaryArray(
        name=accelerator.name,
        clock_mhz=accelerator.clock_mhz,
        rows=array.rows,
        cols=array.cols,
        word_bytes=min(bits) // 8,
        filter_words=inside.filter_words,
        ifmap_words=inside.ifmap_words,
        psum_words=inside.psum_words,
        buffer_banks=buffer // inside.bank_bytes,
        bank_bytes=inside.bank_bytes,
        filter_buffer_bytes=core.weight.capacity_bytes,
        filter_bus_words=inside.filter_bus_words,
        ifmap_bus_words=inside.ifmap_bus_words,
        psum_in_bus_words=inside.psum_in_bus_words,
        psum_out_bus_words=inside.psum_out_bus_words,
        memory_bytes_per_cycle=accelerator.dram.bytes_per_cycle,
        latency_cycles=accelerator.dram.latency_cycles,
    )


def _refuse_unknown(accelerator: Accelerator) -> None:
    """Raise on what a description may state and passes would not count."""
    core = accelerator.core
    for there, what in (
        (accelerator.dram.device is not None, "dram.standard"),
        (core.link is not None, "link"),
        (core.dma.host is not None, "dma.host"),
        (bool(core.dma.engines), "dma.engines"),
        (core.dma.sends_requests, "dma requests or descriptors"),
        *((True, f"{part}.clock") for part in accelerator.own_clocks()),
    ):
        if there:
            raise InputError(
                f"accelerator '{accelerator.name}': {what} is stated, but a row-stationary array runs in passes on one "
                f"clock and a channel of fixed latency, which do not know it; remove it"
            )
