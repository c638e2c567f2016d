"""The physics of contract §3.9 on random machines, networks and mappings: 500 cases in CI, 10,000 nightly.

Every case runs twice, with the fast-forward and in full, and must give the same bytes; the laws of `sim.checks` hold
inside; outside, counts are made again from the network and the descriptors.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from fractions import Fraction

from hw_models.accelerator import Accelerator
from mappers.commands import LoadCommand, Program, StoreCommand
from sim.raw_run import Run
from sim.result import LayerAnnotation, Result
from sim.simulation import simulate
from tests.reference.invariant_cases import case
from tests.reference.profile import examples
from workloads.mac_layers import MacLayer
from workloads.network import Network

CASES = examples(500)


def run(program: Program, accelerator: Accelerator, *, fast: bool) -> tuple[Result, Run]:
    notes = [LayerAnnotation(None, None, None, None, "core0")] * len(program.layers)
    return simulate(program, accelerator, {}, notes, {}, (), keep_run=True, fast_forward=fast)


def naive_beats(program: Program, beat_bytes: int) -> int:
    """Return the beats of all transfers, run by run."""
    beats = 0
    for command in program.commands:
        if isinstance(command, LoadCommand | StoreCommand):
            for transfer in command.transfers:
                starts = [transfer.address]
                for count, pitch in zip(transfer.counts, transfer.pitches_bytes, strict=True):
                    starts = [start + step * pitch for start in starts for step in range(count)]
                beats += sum((s + transfer.run_bytes - 1) // beat_bytes - s // beat_bytes + 1 for s in starts)
    return beats


def network_macs(network: Network) -> int:
    """Return the MACs from output sizes: output elements times channels and taps that each needs."""
    total = 0
    for layer in network.layers:
        if isinstance(layer, MacLayer):
            d = layer.dims
            total += d.G * d.N * d.K * d.OD * d.OY * d.OX * d.C * d.FD * d.FY * d.FX
    return total


def hold(program: Program, accelerator: Accelerator, network: Network) -> None:
    """Assert every invariant of one case."""
    result, full = run(program, accelerator, fast=True)
    again, stepped = run(program, accelerator, fast=False)
    assert all(check.ok for check in result.checks)
    assert json.dumps(result.to_json()) == json.dumps(again.to_json())
    assert replace(full, skipped=0) == stepped
    totals, dram = result.totals, accelerator.dram
    assert totals.macs == network_macs(network)
    assert totals.cycles >= Fraction(totals.macs, accelerator.core.array.pes)
    assert totals.cycles >= naive_beats(program, dram.beat_bytes) * Fraction(dram.beat_bytes) / dram.bytes_per_cycle
    parts = [layer.compute_cycles + sum(layer.stall_cycles.values()) for layer in result.layers]
    assert sum(parts) == totals.cycles and min(parts) >= 0
    traffic = [layer.traffic_bytes for layer in result.layers]
    read = sum(flow["read"] for levels in traffic for flow in levels["dram"].values())
    assert read == sum(c.bytes for c in program.commands if isinstance(c, LoadCommand))
    assert read <= sum(
        flow["write"] for levels in traffic for name in levels if name != "dram" for flow in levels[name].values()
    ), "what comes from DRAM is written into some scratchpad"
    written = sum(flow["write"] for levels in traffic for flow in levels["dram"].values())
    outputs = sum(network.tensor(name).elements for name in network.outputs)
    assert written >= outputs, "every output reaches DRAM"
    energy = sum(sum(layer.energy_pj.values()) for layer in result.layers)
    assert abs(energy - totals.energy_pj) <= 1e-9 * energy
    assert totals.peak_scratchpad_bytes is not None
    assert max(live for _, _, live in full.occupancy) <= totals.peak_scratchpad_bytes


def test_every_invariant_holds_on_random_machines_networks_and_mappings() -> None:
    held = without = seed = timed = 0
    while held < CASES:
        drawn = case(seed)
        seed += 1
        if drawn is None:
            without += 1
            continue
        hold(*drawn)
        held += 1
        timed += drawn[1].dram.device is not None
    sys.stdout.write(
        f"{held} cases hold, {timed} of them on a DRAM with timing; {without} draws had no legal mapping\n"
    )
    assert without < held
