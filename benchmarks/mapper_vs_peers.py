"""Energy, cycles and CPU seconds of the layer mapper beside ZigZag, AccelForge and a random search, on their machines.

ZigZag: its shipped accelerators and networks, read from its installed package, under its own counting
(`mappers.exchange.zigzag_count`, which reproduces it to the last access; this is checked for every layer): first with
its spatial mapping, then with ours. AccelForge: one convolution on each of its machines, energy by its own rule. Peers
run in environments of their own (`benchmarks/peers/setup_*.sh`); a record that stands in --records is taken instead of
a new run. CPU seconds are user plus system, imports of either side left out, reading of files and models included.

Run: python benchmarks/mapper_vs_peers.py --zigzag ENV/bin/python [--accelforge ENV/bin/python] [--records DIR]
     [--machines tpu_like,...] [--networks resnet18,...] [--random 100000]
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from hw_models.importers.accelforge_arch import read_accelforge
from hw_models.importers.accelforge_expressions import EinsumView
from hw_models.importers.source import open_cursor
from hw_models.importers.zigzag_hardware import ZigZagHardware, read_hardware
from mappers.exchange.problems import nest_problem, zigzag_layer
from mappers.exchange.zigzag_count import ZigZagModel
from mappers.exchange.zigzag_mapping import entry_for, read_mapping
from mappers.nests.counts import flows
from mappers.nests.objective import Objective
from mappers.nests.search import FoundNest, search_nest
from mappers.nests.views import Nest
from mappers.zigzag_search.search import Effort, Levels, ZigZagPlan, search_plan
from mappers.zigzag_search.unrollings import unrollings
from tilewright.sources import load_workload
from workloads.importers.accelforge_einsums import read_einsums
from workloads.importers.records import ForeignProblem
from workloads.mac_layers import MacLayer

HERE = Path(__file__).resolve().parent / "peers"
MACHINES = {
    "tpu_like": "tpu_like", "edge_tpu_like": "edge_tpu_like", "meta_prototype": "meta_prototype_like",
    "ascend_like": "ascend_like", "tesla_npu_like": "tesla_npu_like", "eyeriss_like": "default",
}  # fmt: skip
"""Machine to mapping file, as the package pairs them; its Eyeriss-like machine has none of its own."""
STATED = {"nvdla": 56, "simba": 348, "eyeriss": 852}
"""CPU seconds of AccelForge for the same layer as measured on a quieter machine."""
EFFORT, EFFORT_FREE = Effort(nodes=200, evaluations=150), Effort(nodes=100, evaluations=150)
"""With the peer's spatial mapping alone, and where others are looked at too."""
FREE = 12
"""Unrollings of our own that are looked at beside the peer's."""
CLOCK_HZ = {"nvdla": 10**9, "simba_accelforge": 10**9, "eyeriss_accelforge": 2 * 10**8}


def cpu_seconds() -> float:
    """Return CPU seconds of this process and of the children it waited for."""
    return sum(
        u.ru_utime + u.ru_stime for u in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def solve(
    hardware: ZigZagHardware, layer: ForeignProblem, links: dict[str, str], fixed: dict[str, Any], free: int = 0
) -> ZigZagPlan:
    """Return our plan with the unrolling `fixed`, or the best over it and `free` unrollings of our own."""
    own = unrollings(hardware, layer, links, free) if free else []
    plan = search_plan(hardware, layer, links, [fixed, *own], "edp", EFFORT_FREE if free else EFFORT)
    if not isinstance(plan, ZigZagPlan):
        raise SystemExit(str(plan))
    return plan


def record(given: argparse.Namespace, name: str, command: list[str]) -> dict[str, Any]:
    """Return a peer's record, run now unless it stands in the folder of records."""
    target = Path(given.records) / f"{name}.json"
    if not target.exists():
        subprocess.run([*command, "-o", str(target.resolve())], check=True)
    loaded: dict[str, Any] = json.loads(target.read_text())
    return loaded


def zigzag(given: argparse.Namespace) -> None:
    """Print the comparison with ZigZag, network by network."""
    inputs = Path(given.inputs)
    head = f"{'machine':<16}{'network':<13}{'whose':<22}{'energy pJ':>12}{'cycles':>13}{'EDP':>11}{'CPU s':>8}"
    print(f"{head}  ratios to ZigZag")
    for machine in given.machines.split(","):
        for network in given.networks.split(","):
            name = f"{machine}.{network}"
            if not given.zigzag and not (Path(given.records) / f"{name}.json").exists():
                print(f"{machine:<16}{network:<13}no record and no --zigzag")
                continue
            theirs = record(
                given, name, [given.zigzag, str(HERE / "zigzag_run.py"), machine, MACHINES[machine], network]
            )
            compare(given, machine, network, theirs, inputs)


def compare(given: argparse.Namespace, machine: str, network: str, theirs: dict[str, Any], inputs: Path) -> None:
    """Print ZigZag's row and our two rows for one network on one machine."""
    edp = sum(layer["energy_pj"] * layer["latency"]["total"] for layer in theirs["layers"])
    row(machine, network, "ZigZag", theirs["energy_pj"], theirs["latency_cycles"], edp, theirs["cpu_seconds"], "")
    for mode in ("its spatial mapping", "ours free"):
        begin = cpu_seconds()
        hardware = read_hardware(open_cursor(inputs / "hardware" / f"{machine}.yaml"))
        entries = read_mapping_of(inputs, machine)
        layers = [
            zigzag_layer(layer)
            for layer in load_workload(inputs / "workload" / f"{network}.onnx").network.layers
            if isinstance(layer, MacLayer)
        ]
        known: dict[Any, ZigZagPlan] = {}
        plans = []
        for layer in layers:
            entry = entry_for(entries, layer.name, layer.kind)
            fixed = entry.unrolled(dict(layer.dims), dict(hardware.axes))
            key = (layer.dims, layer.tensors, repr(fixed))
            if key not in known:
                free = FREE if mode == "ours free" else 0
                known[key] = solve(hardware, layer, dict(entry.links), fixed, free)
            plans.append(known[key])
        cpu = cpu_seconds() - begin
        peers = {peer["name"]: peer for peer in theirs["layers"]}
        check(peers, layers, hardware)
        worse = [
            f"{layer.name} {plan.count.edp / edp_of(peers[layer.name]) - 1:+.2%}"
            for layer, plan in zip(layers, plans, strict=True)
            if plan.count.edp > edp_of(peers[layer.name]) * (1 + 1e-9)
        ]
        energy, cycles = sum(p.count.energy_pj for p in plans), sum(p.count.latency_cycles for p in plans)
        total = sum(p.count.edp for p in plans)
        tail = f"energy {energy / theirs['energy_pj']:.3f}, cycles {cycles / theirs['latency_cycles']:.3f}, "
        tail += f"EDP {total / edp:.3f}, CPU 1/{theirs['cpu_seconds'] / cpu:.0f}, "
        proven = sum(plan.proven_optimal for plan in known.values())
        widest = max(plan.gap for plan in known.values())
        near = sum(plan.gap <= 0.01 for plan in known.values())
        tail += f"layers worse: {len(worse)} of {len(layers)} ({', '.join(worse) or 'none'}), "
        tail += f"of {len(known)} different {proven} proven, {near} within 1 %, largest gap {widest:.1%}"
        row(machine, network, f"tilewright, {mode}", energy, cycles, total, cpu, tail)
        if given.plans:
            dump(Path(given.plans) / f"{machine}.{network}.{mode.replace(' ', '_')}.json", layers, plans)


def read_mapping_of(inputs: Path, machine: str) -> Any:
    """Return the entries of the mapping file that belongs to a machine."""
    return read_mapping(open_cursor(inputs / "mapping" / f"{MACHINES[machine]}.yaml"))


def edp_of(peer: dict[str, Any]) -> float:
    """Return the energy-delay product of one layer of a record."""
    product: float = peer["energy_pj"] * peer["latency"]["total"]
    return product


def check(peers: dict[str, dict[str, Any]], layers: list[ForeignProblem], hardware: ZigZagHardware) -> None:
    """Stop if our reading or counting of ZigZag's own mappings is not ZigZag's."""
    if {layer.name for layer in layers} != set(peers):
        raise SystemExit(f"{hardware.name}: layers differ: {sorted({layer.name for layer in layers} ^ set(peers))}")
    for layer in layers:
        peer = peers[layer.name]
        space = {axis: [tuple(pair) for pair in pairs] for axis, pairs in peer["user_spatial"].items()}
        found = ZigZagModel(hardware, layer, space, peer["memory_operand_links"]).count(peer["temporal"])
        told = (peer["energy_pj"], peer["latency"]["total"])
        for ours, theirs in zip((found.energy_pj, found.latency_cycles), told, strict=True):
            if abs(ours - theirs) > 1e-9 * theirs:
                raise SystemExit(f"{hardware.name}, {layer.name}: counted {ours}, ZigZag says {theirs}")


def row(
    machine: str, network: str, whose: str, energy: float, cycles: float, edp: float, cpu: float, tail: str
) -> None:
    """Print one row."""
    print(
        f"{machine:<16}{network:<13}{whose:<22.22}{energy:>12.5g}{cycles:>13,.0f}{edp:>11.4g}{cpu:>8.1f}  {tail}",
        flush=True,
    )


def dump(path: Path, layers: list[ForeignProblem], plans: list[ZigZagPlan]) -> None:
    """Write our plans in the form that `benchmarks/peers/zigzag_check.py` gives to ZigZag."""
    data = [
        {"name": layer.name, "spatial": dict(plan.unrolling), "temporal": dict(plan.temporal),
         "energy_pj": plan.count.energy_pj, "latency": plan.count.latency_cycles}
        for layer, plan in zip(layers, plans, strict=True)
    ]  # fmt: skip
    path.write_text(json.dumps(data) + "\n")


def accelforge(given: argparse.Namespace) -> None:
    """Print the comparison with AccelForge on one convolution."""
    workload = HERE / "conv3x3_accelforge.yaml"
    for name in ("nvdla", "simba_accelforge", "eyeriss_accelforge"):
        arch = HERE / f"{name}.yaml" if name != "nvdla" else Path(given.arches) / "nvdla.yaml"
        if not arch.exists():
            print(f"{name}: no {arch}")
            continue
        begin = cpu_seconds()
        einsum = read_einsums(open_cursor(workload))[0]
        tensors = {tensor.name: tensor for tensor in einsum.layer.tensors}
        view = EinsumView(
            {key: tensor.bits or 8 for key, tensor in tensors.items()}, dict(einsum.renames),
            {key: tensor.relevant for key, tensor in tensors.items()}, einsum.layer.output.name,
        )  # fmt: skip
        tree, problem = read_accelforge(open_cursor(arch), view), nest_problem(einsum.layer)
        found = search_nest(problem, tree, Objective(("edp",)), "timeloop")
        cpu = cpu_seconds() - begin
        if not isinstance(found, FoundNest):
            print(f"{name}: {found}")
            continue
        energy_j = accelforge_pj(Nest(problem, tree, found.mapping)) * 1e-12
        edp = energy_j * found.cost.latency_cycles / CLOCK_HZ[name]
        proof = "proven" if found.certificate.proven_optimal else f"gap {found.certificate.gap:.2%}"
        print(
            f"{name:<20} tilewright: EDP {edp:.6g} J s, {cpu:.2f} CPU s ({proof}, divisor tiles, Timeloop's counting)"
        )
        stored = Path(given.records) / f"af.{name}.json"
        if given.accelforge or stored.exists():
            target = "nvdla" if name == "nvdla" else str(arch)
            theirs = record(
                given, f"af.{name}", [given.accelforge, str(HERE / "accelforge_run.py"), target, str(workload)]
            )
            ratio = f"EDP {edp / theirs['edp_js']:.6f}, CPU 1/{theirs['cpu_seconds'] / cpu:.0f}"
            head = f"{name:<20} AccelForge: EDP {theirs['edp_js']:.6g} J s, {theirs['cpu_seconds']:.1f} CPU s"
            print(f"{head}; ours / theirs: {ratio}")
        else:
            stated = STATED[name.partition("_")[0]]
            print(f"{name:<20} AccelForge: not run; stated elsewhere {stated} CPU s for this layer")


def accelforge_pj(nest: Nest) -> float:
    """Return the energy by AccelForge's rule: sums are read when they leave a level, written when they come back."""
    total = float(nest.problem.macs * nest.tree.multiplier.mac_pj)
    for flow in flows(nest, "timeloop"):
        bits = float(nest.problem.tensor(flow.role).stored_bits())
        parent = nest.tree.level(flow.parent)
        back = flow.parent_elements - flow.parent_first if flow.output else flow.parent_elements
        total += bits * back * float(parent.read_pj)
        total += bits * flow.parent_elements * float(parent.write_pj) if flow.output else 0.0
        if flow.child:
            child = nest.tree.level(flow.child)
            again = flow.child_elements - flow.child_first if flow.output else flow.child_elements
            total += bits * again * float(child.write_pj)
            total += bits * flow.child_elements * float(child.read_pj) if flow.output else 0.0
    return total


def random_search(given: argparse.Namespace) -> None:
    """Print what a random search of the same size as a Timeloop run finds on one layer, beside our plan."""
    inputs = Path(given.inputs)
    hardware = read_hardware(open_cursor(inputs / "hardware" / "tpu_like.yaml"))
    network = load_workload(inputs / "workload" / "resnet18.onnx").network
    layer = zigzag_layer([x for x in network.layers if isinstance(x, MacLayer)][1])
    entry = entry_for(read_mapping_of(inputs, "tpu_like"), layer.name, layer.kind)
    fixed, links = entry.unrolled(dict(layer.dims), dict(hardware.axes)), dict(entry.links)
    begin = cpu_seconds()
    ours = solve(hardware, layer, links, fixed).count.edp
    middle = cpu_seconds()
    model = ZigZagModel(hardware, layer, fixed, links)
    best, valid = float("inf"), 0
    for levels in samples(model, given.random):
        if model.fits(levels):
            valid += 1
            best = min(best, model.count(levels).edp)
    spent = cpu_seconds() - middle
    head = f"{layer.name} on tpu_like: ours EDP {ours:.5g} in {middle - begin:.2f} CPU s"
    tail = f"best of {given.random:,} random samples ({valid:,} fit) {best:.5g} in {spent:.1f} CPU s"
    print(f"{head}; {tail}; ratio {best / ours:.3f}")


def samples(model: ZigZagModel, number: int) -> Iterator[Levels]:
    """Return random loop orders over prime factors with random cuts, seeded."""
    draw = random.Random(0)
    primes = [(dim, p) for dim, steps in model.steps.items() for p in prime_factors(steps)]
    for _ in range(number):
        draw.shuffle(primes)
        levels: Levels = {}
        for tensor in model.tensors:
            inner = len(model.fine[tensor.name].memories) - 1
            ends = (0, *sorted(draw.randint(0, len(primes)) for _ in range(inner)), len(primes))
            levels[tensor.name] = [primes[low:high] for low, high in pairwise(ends)]
        yield levels


def prime_factors(number: int) -> list[int]:
    """Return the prime factors of `number`, ascending."""
    found, divisor = [], 2
    while number > 1:
        while number % divisor == 0:
            found.append(divisor)
            number //= divisor
        divisor += 1
    return found


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--zigzag", default="", help="Python of ZigZag's environment")
    parser.add_argument("--inputs", default="", help="folder `inputs` of the installed zigzag package")
    parser.add_argument("--accelforge", default="", help="Python of AccelForge's environment")
    parser.add_argument("--arches", default="", help="folder `examples/arches` of the installed accelforge package")
    parser.add_argument("--records", default=".", help="folder of peers' records, read and written")
    parser.add_argument("--plans", default="", help="folder to write our plans to, for zigzag_check.py")
    parser.add_argument("--machines", default=",".join(MACHINES))
    parser.add_argument("--networks", default="resnet18,mobilenetv2")
    parser.add_argument("--random", type=int, default=0, help="samples of the random search; 0: none")
    parser.add_argument("--only", default="zigzag,accelforge,random")
    given = parser.parse_args()
    for python, module, key, tail in (
        (given.zigzag, "zigzag", "inputs", ("inputs",)),
        (given.accelforge, "accelforge", "arches", ("..", "examples", "arches")),
    ):
        if python and not getattr(given, key):
            command = [python, "-c", f"import {module}; print({module}.__file__)"]
            place = subprocess.run(command, capture_output=True, text=True, check=True)
            setattr(given, key, str(Path(place.stdout.strip()).parent.joinpath(*tail)))
    print(time.strftime("%Y-%m-%d"), "CPU seconds, one process each; EDP in pJ x cycles summed over layers")
    for part, run in (("zigzag", zigzag), ("accelforge", accelforge), ("random", random_search)):
        if part in given.only.split(",") and (part != "random" or given.random):
            run(given)


if __name__ == "__main__":
    main()
