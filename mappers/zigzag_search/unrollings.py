"""Unrollings of a layer on an array's axes that are worth a search: few steps first, then little traffic at the bottom.

Each axis takes one dimension or two. Of two, the first takes what it can, the second what positions are left. What is
left out here is not covered by any bound.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from math import ceil, prod

from hw_models.importers.zigzag_hardware import ZigZagHardware, ZigZagMemory
from mappers.exchange.zigzag_loops import distinct
from workloads.importers.records import ForeignProblem, ForeignTensor

Pairs = tuple[tuple[str, int], ...]
Unrolling = dict[str, Pairs]
REUSE = 64.0
"""Words held of an operand, beyond which a memory is taken to save no more traffic."""
BEAM = 160
"""Partial unrollings kept from one axis to the next, of those with the fewest steps."""


def unrollings(hardware: ZigZagHardware, layer: ForeignProblem, links: Mapping[str, str], most: int) -> list[Unrolling]:
    """Return up to `most` unrollings, in turn those of the least estimated cost and those of the least time.

    Parameters
    ----------
    links : mapping of role to memory operand
        As in a mapping file.
    """
    sizes = {dim: size for dim, size in layer.dims if size > 1}
    mirrored, holders = _mirrored(layer), _holders(hardware, layer, links)
    partial: list[Unrolling] = [{}]
    for axis, positions in hardware.axes:
        grown: dict[object, tuple[int, Unrolling]] = {}
        for made in partial:
            left = left_of(sizes, made)
            for pairs in _uses(left, positions):
                other = {**made, axis: pairs}
                grown.setdefault(_alike(hardware, other, mirrored), (prod(left_of(sizes, other).values()), other))
        ranked = sorted(enumerate(grown.values()), key=lambda item: (item[1][0], item[0]))
        held = (other for _, (_, other) in ranked if _fits(holders, other))
        partial = list(islice(held, BEAM))
    scored = [(*_estimate(holders, layer, hardware.mac_energy_pj, made), at) for at, made in enumerate(partial)]
    by_cost = [at for _, _, at in sorted(scored)]
    by_time = [at for _, _, at in sorted(scored, key=lambda item: (item[1], item[0], item[2]))]
    chosen = dict.fromkeys(at for pair in zip(by_cost, by_time, strict=True) for at in pair)
    return [partial[at] for at in list(chosen)[:most]]


def left_of(sizes: Mapping[str, int], made: Unrolling) -> dict[str, int]:
    """Return the steps in time of every dimension."""
    left = {}
    for dim, size in sizes.items():
        left[dim] = ceil(size / prod(factor for pairs in made.values() for own, factor in pairs if own == dim))
    return left


@dataclass(frozen=True, slots=True)
class _Holder:
    """A memory as one tensor sees it: the axes its instances serve, and the energy of a bit read and written again."""

    memory: ZigZagMemory
    joined: tuple[str, ...]
    bit_pj: float
    width: int
    outermost: bool


def _holders(
    hardware: ZigZagHardware, layer: ForeignProblem, links: Mapping[str, str]
) -> list[tuple[ForeignTensor, list[_Holder]]]:
    found = []
    for tensor in layer.tensors:
        operand = links[tensor.name]
        chain = []
        for memory in hardware.levels(operand):
            port = memory.port_of(operand, "fl" if tensor.output else "tl")
            width = port.max_bits_per_cycle if port is not None else 1
            price = (memory.read_energy_pj + memory.write_energy_pj) / width
            outermost = memory is hardware.levels(operand)[-1]
            chain.append(_Holder(memory, hardware.joined(operand, memory), price, width, outermost))
        found.append((tensor, chain))
    return found


def _fits(holders: list[tuple[ForeignTensor, list[_Holder]]], made: Unrolling) -> bool:
    """Tell whether every memory holds what its positions need in one step, sums at their final width."""
    left: dict[str, int] = {}
    for tensor, chain in holders:
        for holder in chain[:-1]:
            factors: dict[str, int] = {}
            for axis in holder.joined:
                for dim, factor in made.get(axis, ()):
                    factors[dim] = factors.get(dim, 1) * factor
            elements = tensor.bits or 8
            for index in tensor.axes:
                if len(index.terms) == 1:
                    elements *= factors.get(index.terms[0][1], 1)
                elif any(dim in factors for _, dim in index.terms):
                    (a, first), (b, second) = index.terms
                    n, m = factors.get(first, 1), factors.get(second, 1)
                    elements *= max(1, min(index.size, distinct(a, n, b, m)))
            name = holder.memory.name
            left[name] = left.get(name, holder.memory.size_bits) - elements
            if left[name] < 0:
                return False
    return True


def _uses(left: Mapping[str, int], positions: int) -> list[Pairs]:
    found: dict[Pairs, None] = {}
    for first, size in left.items():
        factor = min(size, positions)
        if factor < 2:
            continue
        found[((first, factor),)] = None
        rest = positions // factor
        for second, other in left.items():
            if second != first and min(other, rest) > 1:
                found[((first, factor), (second, min(other, rest)))] = None
    return list(found) or [((next(iter(left), "K"), 1),)]


def _mirrored(layer: ForeignProblem) -> bool:
    """Tell whether rows and columns of the layer are alike."""
    swap = {"OX": "OY", "OY": "OX", "FX": "FY", "FY": "FX"}
    if any(layer.size(dim) != layer.size(other) for dim, other in swap.items()):
        return False
    for tensor in layer.tensors:
        axes = {(axis.terms, axis.size) for axis in tensor.axes}
        if axes != {(tuple((c, swap.get(dim, dim)) for c, dim in terms), size) for terms, size in axes}:
            return False
    return True


def _alike(hardware: ZigZagHardware, made: Unrolling, mirrored: bool) -> object:
    """Return a key that is equal for unrollings of equal cost.

    Axes that the same memories serve may be exchanged, and rows and columns of a layer in which they are alike.
    """
    groups: dict[str, list[tuple[str, int]]] = {}
    for axis, pairs in made.items():
        served = tuple(memory.name for memory in hardware.memories if axis in memory.served_axes)
        name = repr((*served, axis if axis in hardware.systolic_axes else ""))
        groups.setdefault(name, []).extend(pairs)
    swap = {"OX": "OY", "OY": "OX", "FX": "FY", "FY": "FX"}
    keys = [tuple((name, tuple(sorted(pairs))) for name, pairs in sorted(groups.items()))]
    if mirrored:
        turned = {name: [(swap.get(dim, dim), factor) for dim, factor in pairs] for name, pairs in groups.items()}
        keys.append(tuple((name, tuple(sorted(pairs))) for name, pairs in sorted(turned.items())))
    return min(keys)


def _estimate(
    holders: list[tuple[ForeignTensor, list[_Holder]]], layer: ForeignProblem, mac_pj: float, made: Unrolling
) -> tuple[float, float]:
    """Return estimates of the energy-delay product and of the latency, to rank by.

    Latency: the steps, or every tensor once through the outer port. Energy: every word passes each level once for what
    is reused below it, along the axes that one instance serves and, roughly, by what the memories below hold.
    """
    steps = prod(left_of(dict(layer.dims), made).values())
    spread = prod(factor for pairs in made.values() for _, factor in pairs)
    energy, outer = layer.macs * mac_pj, 0.0
    for tensor, chain in holders:
        reuse, relevant = 1.0, tensor.relevant
        bits = (tensor.partial_bits if tensor.output else tensor.bits) or 8
        for holder in chain:
            if holder.outermost:
                outer += tensor.elements * bits / holder.width
                continue
            shared = prod(f for axis in holder.joined for dim, f in made.get(axis, ()) if dim not in relevant)
            copies = prod(f for axis, pairs in made.items() if axis not in holder.joined for _, f in pairs)
            energy += steps * spread / shared / reuse * bits * holder.bit_pj
            reuse = max(reuse, min(holder.memory.size_bits / bits * copies, REUSE) ** 0.5)
    return energy * max(steps, outer), max(steps, outer)
