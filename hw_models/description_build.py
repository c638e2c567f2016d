"""From a checked description tree to the frozen `Accelerator`; every mistake of the machine is collected."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from fractions import Fraction
from typing import TypeVar

from hw_models.accelerator import Accelerator, Core, DramChannel, PEArray
from hw_models.banking.banks import banks_of
from hw_models.banking.memory import Scratchpad
from hw_models.clock import OwnClock, own_clock
from hw_models.description_dram import FIXED_KEYS, TIMED_KEYS, timed_channel
from hw_models.description_paths import no_clock
from hw_models.description_schema import (
    AcceleratorNode,
    ArrayNode,
    CoreNode,
    DmaNode,
    DramEnergyNode,
    DramNode,
    ScratchpadNode,
    VectorNode,
)
from hw_models.digest import figures_of
from hw_models.dma import Dma, Host, LoadEngine
from hw_models.energy import EnergyTable, Figure, load_energy_table
from hw_models.link import Link
from hw_models.pe_memories import PEMemories
from hw_models.sparsity import Sparsity
from hw_models.vector_unit import VectorUnit
from hw_models.yaml_edge import YamlPath
from workloads.errors import InputError

T = TypeVar("T")
Mistake = tuple[YamlPath, str]


class _Builder:
    """Builds parts one by one; a part that fails is noted, so that its neighbours are still checked."""

    def __init__(self, tree: AcceleratorNode) -> None:
        self.tree = tree
        self.mistakes: list[Mistake] = []
        self.figures: list[tuple[YamlPath, str]] = []
        self.node_nm = tree.energy.node
        self.clock_mhz = tree.clocks[0].frequency
        self.used_clocks = {tree.clocks[0].name}
        self.table: EnergyTable | None = None
        if tree.energy.table is not None:
            name = tree.energy.table
            table = self.part(("energy", "table"), lambda: load_energy_table(name))
            if table is not None and self.part(("energy", "node"), lambda: bool(table.scale(45, self.node_nm))):
                self.table = table

    def part(self, path: YamlPath, make: Callable[[], T]) -> T | None:
        """Return `make()`, or None with the mistake noted at `path`."""
        try:
            return make()
        except InputError as error:
            self.mistakes.append((path, str(error)))
            return None

    def domain(self, name: str | None, path: YamlPath) -> OwnClock | None:
        """Return the clock that a part at `path` names, None for the reference clock."""
        known = {clock.name: clock.frequency for clock in self.tree.clocks}
        if name is None:
            return None
        self.used_clocks.add(name)
        if name not in known:
            self.mistakes.append(((*path, "clock"), no_clock(name, list(known))))
            return None
        if name == self.tree.clocks[0].name:
            return None
        return self.part((*path, "clock"), lambda: own_clock(name, known[name], self.clock_mhz))

    def figure(self, path: YamlPath, make: Callable[[EnergyTable], Figure]) -> Fraction:
        """Return a figure of the energy table and note its source."""
        if self.table is None:
            if self.tree.energy.table is None:
                self.mistakes.append(
                    (path, "energy is missing; give the value and its source here, or name energy.table")
                )
            return Fraction(0)
        table = self.table
        found = self.part(path, lambda: make(table))
        if found is None:
            return Fraction(0)
        self.given(path, found.source)
        return found.pj

    def given(self, path: YamlPath, source: str) -> None:
        """Note the source of a figure at `path`, once."""
        if (path, source) not in self.figures:
            self.figures.append((path, source))

    def sources_at(self, path: YamlPath) -> str:
        """Return the sources noted at `path`."""
        return "; ".join(source for where, source in self.figures if where == path)

    def sram(self, path: YamlPath, size: int) -> tuple[Fraction, Fraction]:
        """Return read and write energy per byte of a memory of `size` bytes from the table."""
        default, nm = self.tree.energy.allow_default, self.node_nm
        return (
            self.figure(path, lambda t: t.sram_per_byte(size, "read", nm, allow_default=default)),
            self.figure(path, lambda t: t.sram_per_byte(size, "write", nm, allow_default=default)),
        )

    def dram(self, node: DramNode, path: YamlPath) -> DramChannel | None:
        """Build the channel."""
        if node.standard is not None:
            return timed_channel(self, node, path)
        wrong = [key for key in TIMED_KEYS if getattr(node, key) is not None]
        for key in wrong:
            self.mistakes.append(((*path, key), f"key '{key}' goes with dram.standard; add that or remove the key"))
        missing = [key for key in FIXED_KEYS if getattr(node, key) is None]
        for key in missing:
            self.mistakes.append(((*path, key), f"key '{key}' is missing; add it"))
        if missing or wrong:
            return None
        assert node.latency is not None and node.bandwidth is not None  # noqa: PT018
        delay, beat, burst = node.latency, node.beat or 0, node.burst or 0
        pj = self.dram_energy(node, path)
        clock = self.domain(node.clock, path)
        mhz = self.clock_mhz if clock is None else clock.mhz
        own = self.part((*path, "latency"), lambda: delay.cycles(mhz))
        if own is None:
            return None
        rate = node.bandwidth.bytes_per_cycle(mhz) * mhz / self.clock_mhz
        source = self.sources_at((*path, "energy"))
        turns = node.arbitration or "round_robin"
        latency, own = (own, 0) if clock is None else (clock.least(own), own)
        return self.part(
            path,
            lambda: DramChannel(
                node.name, rate, latency, beat, burst, pj, source, arbitration=turns, clock=clock,
                own_latency_cycles=own,
            ),
        )  # fmt: skip

    def dram_energy(self, node: DramNode, path: YamlPath) -> Fraction:
        """Return the energy of a byte that the description states or names."""
        energy = node.energy or DramEnergyNode()
        where = (*path, "energy")
        if energy.per_byte is not None and energy.standard is None and energy.source is not None:
            self.given(where, energy.source)
            return energy.per_byte
        if energy.standard is not None and energy.per_byte is None and energy.source is None:
            standard = energy.standard
            return self.figure(where, lambda table: table.dram_per_byte(standard))
        self.mistakes.append((where, "give either standard, or per_byte with source; not both, not neither"))
        return Fraction(0)

    def array(self, node: ArrayNode, path: YamlPath) -> PEArray | None:
        """Build the array."""
        if node.energy is not None:
            pj = node.energy.mac
            self.given((*path, "energy"), node.energy.source)
        else:
            formats = (node.input_format, node.weight_format, node.accumulator_format)
            default = self.tree.energy.allow_default
            pj = self.figure((*path, "energy"), lambda t: t.mac(*formats, self.node_nm, allow_default=default))
        delay = node.tree_latency
        tree_latency = 0
        if delay is not None:
            tree_latency = self.part((*path, "tree_latency"), lambda: delay.cycles(self.clock_mhz)) or 0
        pattern, sparsity = node.sparsity, None
        if pattern is not None:
            sparsity = self.part((*path, "sparsity"), lambda: Sparsity(pattern.n, pattern.m))
        inside, memories = node.pe_memories, None
        if inside is not None:
            memories = self.part(
                (*path, "pe_memories"),
                lambda: PEMemories(
                    inside.filter_words, inside.ifmap_words, inside.psum_words, inside.filter_bus, inside.ifmap_bus,
                    inside.psum_in_bus, inside.psum_out_bus, inside.bank,
                ),
            )  # fmt: skip
        return self.part(
            path,
            lambda: PEArray(
                node.kind,
                node.rows,
                node.cols,
                tuple(node.dataflows),
                node.input_format,
                node.weight_format,
                node.accumulator_format,
                node.reduction_unroll,
                pj,
                self.sources_at((*path, "energy")),
                tree_latency,
                sparsity,
                memories,
                node.accumulator_layout,
            ),
        )

    def scratchpad(self, name: str, node: ScratchpadNode, path: YamlPath, needs: tuple[int, int]) -> Scratchpad | None:
        """Build one scratchpad; `needs` are the read and write widths of a description that states none."""
        if node.energy is not None:
            read, write = node.energy.read_per_byte, node.energy.write_per_byte
            self.given((*path, "energy"), node.energy.source)
        else:
            read, write = self.sram((*path, "energy"), node.half)
        widths = (node.read_width or needs[0], node.write_width or needs[1])
        cut, banks = node.banks, None
        if cut is not None:
            banks = self.part(
                (*path, "banks"),
                lambda: banks_of(name, node.half, cut.count, cut.word, cut.ports, cut.spread, cut.layout),
            )
        source = self.sources_at((*path, "energy"))
        return self.part(
            path, lambda: Scratchpad(name, node.half, *widths, read, write, source, halves=node.buffers, banks=banks)
        )

    def vector(self, node: VectorNode, path: YamlPath) -> VectorUnit | None:
        """Build the vector unit."""
        where = (*path, "energy")
        if node.energy is not None:
            operation, buffer = node.energy.operation, node.energy.buffer_per_byte
            self.given(where, node.energy.source)
        else:
            nm = self.node_nm
            operation = self.figure(where, lambda t: t.lane_operation(nm))
            buffer = max(self.sram(where, max(node.operand_half, node.output_half)))
        clock = self.domain(node.clock, path)
        mhz = self.clock_mhz if clock is None else clock.mhz
        latency = self.part((*path, "latency"), lambda: node.latency.cycles(mhz))
        simple = self.part((*path, "simple"), lambda: node.simple.cycles(mhz))
        special = self.part((*path, "special"), lambda: node.special.cycles(mhz))
        if latency is None or simple is None or special is None:
            return None
        return self.part(
            path,
            lambda: VectorUnit(
                lanes=node.lanes,
                latency_cycles=latency,
                simple_cycles=simple,
                special_cycles=special,
                operand_half_bytes=node.operand_half,
                output_half_bytes=node.output_half,
                writes_input=node.writes_input,
                operand_buffers=node.operand_buffers,
                output_buffers=node.output_buffers,
                clock=clock,
                op_pj=operation,
                buffer_pj_per_byte=buffer,
                energy_source=self.sources_at(where),
            ),
        )

    def core(self, node: CoreNode, path: YamlPath, channel: DramChannel | None) -> Core | None:
        """Build the core and the port widths that follow from its array, vector unit and channel."""
        array = self.array(node.array, (*path, "array"))
        a = node.array
        refill = 1 if channel is None else max(channel.beat_bytes, -(-channel.bytes_per_cycle // 1))
        inputs, weights = (1, 1) if array is None else (-(-array.input_row_bits // 8), -(-array.weight_row_bits // 8))
        lanes = -(-node.vector.lanes * a.input_format.bits // 8)
        sums = -(-max(a.cols, node.vector.lanes) * a.accumulator_format.bits // 8)
        pads = node.scratchpads
        where = (*path, "scratchpads")
        built = (
            self.scratchpad("input", pads.input, (*where, "input"), (max(inputs, lanes), max(inputs, refill, lanes))),
            self.scratchpad("weight", pads.weight, (*where, "weight"), (weights, max(weights, refill))),
            self.scratchpad("accumulator", pads.accumulator, (*where, "accumulator"), (sums, max(sums, refill))),
        )
        vector = self.vector(node.vector, (*path, "vector"))
        issue = self.part((*path, "dma", "issue"), lambda: node.dma.issue.cycles(self.clock_mhz))
        if issue is None or array is None or vector is None or None in built:
            return None
        dma = self.dma(node.dma, (*path, "dma"), issue)
        if dma is None:
            return None
        first, second, third = (pad for pad in built if pad is not None)
        way, link = node.link, None
        if way is not None:
            clock = self.domain(way.clock, (*path, "link"))
            mhz = self.clock_mhz if clock is None else clock.mhz
            link = self.part((*path, "link"), lambda: Link(way.width, way.delay.cycles(mhz), clock))
        return self.part(path, lambda: Core(node.name, array, first, second, third, vector, dma, link))

    def dma(self, node: DmaNode, path: YamlPath, issue: int) -> Dma | None:
        """Build the DMA engines."""
        delay = node.descriptor
        setup = 0 if delay is None else self.part((*path, "descriptor"), lambda: delay.cycles(self.clock_mhz))
        engines = tuple(LoadEngine(e.engine, tuple(e.serves), e.in_flight) for e in node.engines)
        limits = (node.max_burst, node.requests, node.descriptor_dimensions)
        told, host = node.host, None
        if told is not None:
            host = self.part((*path, "host"), lambda: Host(told.interval.cycles(self.clock_mhz), told.depth))
        return self.part(
            path, lambda: Dma(node.outstanding, issue, engines, *limits, setup or 0, host, node.store_engines)
        )

    def refuse_plurals(self) -> None:
        """Note names that stand twice, clocks of nothing, and parts that are listed but not simulated yet."""
        for number, clock in enumerate(self.tree.clocks):
            if clock.name not in self.used_clocks:
                text = f"clock '{clock.name}' is the clock of nothing; name it in dram, vector or link, or remove it"
                self.mistakes.append((("clocks", number), text))
        for key, what in (("clocks", ""), ("dram", "DRAM channels"), ("cores", "cores")):
            items = getattr(self.tree, key)
            names = [item.name for item in items]
            if len(set(names)) != len(names):
                self.mistakes.append(((key,), f"{key} has the name '{max(names, key=names.count)}' twice; rename one"))
            if what and len(items) > 1:
                listed = ", ".join(names)
                text = f"{len(items)} {what} ({listed}), bound is 1, more are not simulated yet; keep one"
                self.mistakes.append(((key, 1), text))


def build(tree: AcceleratorNode, sources: tuple[tuple[str, str], ...]) -> tuple[Accelerator | None, list[Mistake]]:
    """Return the accelerator of `tree`, or None and every mistake found.

    Parameters
    ----------
    sources : tuple of (path, text)
        Sources of the figures that the file states; those of the energy figures are added.
    """
    b = _Builder(tree)
    channel = b.dram(tree.dram[0], ("dram", 0))
    core = b.core(tree.cores[0], ("cores", 0), channel)
    b.refuse_plurals()
    if b.mistakes or channel is None or core is None:
        return None, b.mistakes
    energy = tuple((".".join(str(p) for p in path if not isinstance(p, int)), text) for path, text in b.figures)
    machine = b.part(
        (),
        lambda: Accelerator(
            name=tree.name,
            summary=tree.summary,
            clock_mhz=b.clock_mhz,
            technology_nm=b.node_nm,
            dram=channel,
            core=core,
            sources=sources + energy,
            sha256=_digest(tree.name, b.clock_mhz, b.node_nm, channel, core),
        ),
    )
    return machine, b.mistakes


def _digest(name: str, clock_mhz: Fraction, node_nm: int, channel: DramChannel, core: Core) -> str:
    """Return the hash of the resolved machine: every figure, no prose, independent of how the file was written."""
    tree = {"name": name, "clock_mhz": clock_mhz, "technology_nm": node_nm, "dram": channel, "core": core}
    text = json.dumps({key: figures_of(value) for key, value in tree.items()}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
