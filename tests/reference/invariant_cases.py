"""Random (machine, network, mapping) cases from a seed: small, legal, and not chosen by any search.

Plain `random`, no hypothesis: ten thousand cases are a count, not a shrink.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from random import Random

from hw_models.accelerator import Accelerator
from hw_models.clock import own_clock
from hw_models.description import load_accelerator
from mappers.commands import Program
from mappers.dram_layout import make_layout
from mappers.group import make_groups
from mappers.legality import check_mapping
from mappers.lower import lower
from mappers.mapping import TILED_DIMS, Certificate, Mapping, TileLoop
from mappers.plan import Part, PlannedGroup, make_problem
from mappers.problem import TileProblem
from mappers.residency import Residency
from mappers.search import Found
from workloads.builder import NetworkBuilder
from workloads.mac_layers import MacLayer
from workloads.network import Network

EDGE = load_accelerator("edge_int8")
TIMED = {name: load_accelerator("edge_int8", [f"dram.standard={name}"]) for name in ("DDR4-2400", "LPDDR4-2400")}
TRIES = 30
"""Draws of a mapping before the whole dimensions are tried."""


def machine(random: Random) -> Accelerator:
    """Return a small machine on a channel of fixed latency or, one time in six, on a DRAM with timing."""
    core = EDGE.core
    array = replace(
        core.array,
        rows=random.choice((1, 2, 3, 4, 8)),
        cols=random.choice((1, 2, 3, 4, 8)),
        dataflows=random.choice((("ws",), ("os",), ("is",), ("ws", "os"), ("ws", "is"))),
        reduction_unroll=random.choice(("window", "channel")),
    )
    vector = replace(core.vector, lanes=random.choice((1, 2, 4, 8)), latency_cycles=random.randrange(6))
    dma = replace(core.dma, outstanding=random.randint(1, 4), issue_cycles=random.randrange(3))
    if random.randrange(6):
        beat = random.choice((1, 2, 4, 8, 32))
        dram = replace(
            EDGE.dram,
            beat_bytes=beat,
            burst_bytes=random.choice((1, 2, 4)) * beat,
            bytes_per_cycle=Fraction(random.randint(1, 20), random.randint(1, 4)),
            latency_cycles=random.randrange(20),
        )
    else:
        base = TIMED[random.choice(sorted(TIMED))]
        assert base.dram.device is not None
        device = replace(base.dram.device, page=random.choice(("open", "closed")), refresh=random.random() < 0.7)
        dram = replace(base.dram, device=device)
        core = base.core
    if random.randrange(4) == 0:
        vector = replace(vector, clock=own_clock("lanes", Fraction(random.choice((150, 300, 1000))), EDGE.clock_mhz))
    if random.randrange(4) == 0 and dram.device is None:
        clock = own_clock("bus", Fraction(random.choice((200, 560, 933))), EDGE.clock_mhz)
        own = dram.latency_cycles
        dram = replace(dram, clock=clock, own_latency_cycles=own, latency_cycles=clock.least(own))
    return replace(EDGE, dram=dram, core=replace(core, array=array, vector=vector, dma=dma))


def network(random: Random) -> Network:
    """Return one to three layers: convolutions, what may be fused to them, pools, a linear layer at the end."""
    b = NetworkBuilder("case", "test")
    groups = random.choice((1, 1, 1, 2, 3))
    side = random.randint(3, 7)
    x = b.input("x", (random.choice((1, 1, 2)), groups * random.randint(1, 4), side, random.randint(3, 7)))
    for number in range(random.randint(1, 2)):
        height, width = b.shape(x)[2:]
        taps = random.randint(1, min(3, height, width))
        inside = b.shape(x)[1]
        parts = groups if inside % groups == 0 and random.random() < 0.5 else 1
        y = b.conv(
            x,
            parts * random.randint(1, 5),
            taps,
            stride=random.choice((1, 1, 2)),
            padding=random.choice((0, taps // 2)),
            groups=parts,
            name=f"conv{number}",
        )
        if b.shape(y) == b.shape(x) and random.random() < 0.5:
            y = b.add(y, x)
        if random.random() < 0.5:
            y = b.relu(y)
        x = y
    if random.random() < 0.3 and min(b.shape(x)[2:]) >= 2:
        x = b.max_pool(x, 2, 2)
    if random.random() < 0.3:
        x = b.linear(b.flatten(b.global_avg_pool(x)), random.randint(1, 9), name="fc")
    return b.build(x)


def mapping(random: Random, problem: TileProblem, accelerator: Accelerator) -> Mapping | None:
    """Return a legal mapping drawn at random, None if none was found."""
    array = accelerator.core.array
    for draw in range(TRIES + 1):
        loops = []
        for dim in random.sample(TILED_DIMS, len(TILED_DIMS)):
            size = problem.size[dim]
            tile = random.randint(1, size) if draw < TRIES and random.random() < 0.5 else size
            if tile < size or random.random() < 0.5:
                loops.append(TileLoop(dim, size, tile))
        cuts = tuple((role, random.randint(0, len(loops))) for role in "IWO")
        found = Mapping("layer", "core0", random.choice(array.dataflows), tuple(loops), cuts)
        if not check_mapping(problem, found, array):
            return found
    return None


def case(seed: int) -> tuple[Program, Accelerator, Network] | None:
    """Return the program of case `seed`, its machine and network; None where no legal mapping was drawn."""
    random = Random(seed)
    accelerator, net = machine(random), network(random)
    layout = make_layout(net, 1)
    groups = make_groups(net, layout, accelerator.core)
    entries = []
    for group in groups:
        if not isinstance(group.lead, MacLayer):
            entries.append(PlannedGroup(group, ()))
            continue
        problem = make_problem(layout, group, group.lead, accelerator)
        drawn = mapping(random, problem, accelerator)
        if drawn is None:
            return None
        certificate = Certificate("none", "none", "latency", 0, 0, 1, 1, False)
        found = Found(drawn.dataflow, drawn.loops, drawn.cuts, certificate, 0, 0.0, 0)
        entries.append(PlannedGroup(group, (Part(group.lead, problem, found, None),)))
    residency = Residency(tuple(groups), accelerator.core.input.half_bytes)
    program, _ = lower(net, accelerator, layout, tuple(entries), residency)
    return program, accelerator, net
