"""Which activations stay on chip: greedy in execution order, not optimised.

A group's output may live whole in one half of the input scratchpad while the array reads the other: the vector unit
then writes a half that the array does not read. Every reader must be an array group that reads it as its input, or as
its second operand while the array reads the other half. A group whose array is bound to one half, and whose input
comes from DRAM, takes both its input tiles from that half. Residents lie at the top of a half, tiles below them.

A single buffer keeps nothing; a third one holds tiles only, of every group.

An output is kept where that does not worsen the sum of the mapping objective over the groups it touches; a group that
would have no mapping is a reason not to keep it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from hw_models.banking.memory import Scratchpad
from mappers.draft import Places, turns
from mappers.dram_layout import Layout
from mappers.group import Group
from workloads.errors import InputError
from workloads.mac_layers import MacLayer
from workloads.network import Network

Evaluate = Callable[[int, Mapping[str, object]], float | None]
"""Objective of group i under changes of its `TileProblem`; None if it has no mapping."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A resident tensor: its place, and the groups from the one that writes it to the last that reads it."""

    tensor: str
    half: int
    offset_bytes: int
    size_bytes: int
    first: int
    last: int


@dataclass
class Residency:
    """What is kept and what that means for each group."""

    groups: Sequence[Group]
    half_bytes: int
    buffers: int = 2
    kept: dict[str, Kept] = field(default_factory=dict)
    read_half: dict[int, int] = field(default_factory=dict)

    def free_bytes(self, index: int, half: int) -> int:
        """Return the bytes below the residents of `half` while group `index` runs."""
        places = (k.offset_bytes for k in self.kept.values() if k.half == half and k.first <= index <= k.last)
        return min(places, default=self.half_bytes)

    def places(self, index: int) -> tuple[Places, int]:
        """Return where group `index` has its two input tiles, and the room of each in bytes."""
        half = self.read_half.get(index)
        if half is None:
            return turns(self.buffers), min(self.free_bytes(index, half) for half in range(self.buffers))
        room = self.free_bytes(index, half) // 2
        # buffers beyond the two that residents take sides in are free for every group
        return ((half, 0), (half, room), *turns(self.buffers)[2:]), room

    def changes(self, index: int) -> dict[str, object]:
        """Return what differs in the tiling problem of group `index`."""
        group = self.groups[index]
        assert isinstance(group.lead, MacLayer)
        changes: dict[str, object] = {}
        if group.lead.input_tensor in self.kept:
            changes["input_place"] = "resident"
        else:
            changes["input_slot_bytes"] = self.places(index)[1]
        if group.output in self.kept:
            changes["output_place"] = "resident"
        if group.residual in self.kept:
            changes["residual"] = "resident"
        return changes


def plan_residency(
    network: Network, layout: Layout, groups: Sequence[Group], pad: Scratchpad, evaluate: Evaluate
) -> Residency:
    """Return what stays on chip in the input scratchpad `pad`; see the module docstring for the rule."""
    state = Residency(groups, pad.half_bytes, pad.halves)
    if pad.halves < 2:
        return state
    readers = _readers(network, layout, groups)
    for index, group in enumerate(groups):
        if not _may_stay(network, layout, group, readers, groups):
            continue
        best: tuple[float, Residency] | None = None
        for half in (0, 1):
            trial = _with(state, index, group, readers[group.output], half, layout)
            if trial is None:
                continue
            touched = [
                i for i in range(index, trial.kept[group.output].last + 1) if isinstance(groups[i].lead, MacLayer)
            ]
            gain = _gain(state, trial, touched, evaluate)
            if gain is not None and gain >= 0 and (best is None or gain > best[0]):
                best = (gain, trial)
        if best is not None:
            state = best[1]
    return state


def given_residency(
    network: Network, layout: Layout, groups: Sequence[Group], pad: Scratchpad, wanted: Mapping[str, int]
) -> Residency:
    """Return the residency that keeps the tensors of `wanted`, each in its half.

    Raises
    ------
    InputError
        If one of them cannot stay there.
    """
    state = Residency(groups, pad.half_bytes, pad.halves)
    readers = _readers(network, layout, groups)
    for index, group in enumerate(groups):
        if group.output not in wanted:
            continue
        half = wanted[group.output]
        may = pad.halves > 1 and half in (0, 1) and _may_stay(network, layout, group, readers, groups)
        trial = _with(state, index, group, readers[group.output], half, layout) if may else None
        if trial is None:
            raise InputError(f"plan: tensor '{group.output}' cannot stay in half {half}; map the network again")
        state = trial
    unknown = sorted(set(wanted) - set(state.kept))
    if unknown:
        raise InputError(f"plan: '{unknown[0]}' is no output of a group on the array; map the network again")
    return state


def _gain(old: Residency, new: Residency, touched: Sequence[int], evaluate: Evaluate) -> float | None:
    """Return by how much the objective of the touched groups falls; None if one has no mapping any more."""
    gain = 0.0
    for index in touched:
        before, after = old.changes(index), new.changes(index)
        if before == after:
            continue
        value = evaluate(index, after)
        if value is None:
            return None
        gain += (evaluate(index, before) or 0.0) - value
    return gain


def _readers(network: Network, layout: Layout, groups: Sequence[Group]) -> dict[str, list[int]]:
    """Return, per storage block, the groups that read it."""
    readers: dict[str, list[int]] = {}
    for index, group in enumerate(groups):
        names = [*group.lead.inputs, *(name for layer in group.fused for name in layer.inputs)]
        for name in dict.fromkeys(names):
            if name in layout.views:
                of_block = readers.setdefault(layout.views[name].storage, [])
                if of_block[-1:] != [index]:
                    of_block.append(index)
    return readers


def _may_stay(
    network: Network, layout: Layout, group: Group, readers: Mapping[str, list[int]], groups: Sequence[Group]
) -> bool:
    """Tell whether the output of `group` is written and read in ways that a resident tensor allows."""
    lead, output = group.lead, group.output
    if not isinstance(lead, MacLayer) or lead.transposed or output in network.outputs:
        return False
    if layout.blocks.get(output) is None or layout.views[output].element_bytes != 1 or not readers.get(output):
        return False
    shared = any(view.storage == output and name != output for name, view in layout.views.items())
    if shared and any(name in network.outputs for name, view in layout.views.items() if view.storage == output):
        return False
    for index in readers[output]:
        reader = groups[index]
        layer = reader.lead
        if not isinstance(layer, MacLayer) or layer.transposed or index <= groups.index(group):
            return False
        as_input, as_second = layer.input_tensor == output, reader.residual == output
        as_weight = layer.weight_is_activation and layout.views[layer.weight_tensor].storage == output
        if as_input == as_second or as_weight or _grid(layer) != _grid(lead):
            return False
    return True


def _grid(layer: MacLayer) -> int:
    """Return what the boxes of the data of `layer` count: 0 for images, the number of matrices otherwise."""
    return 0 if layer.spatial_rank else layer.dims.G


def _with(
    state: Residency, index: int, group: Group, readers: Sequence[int], half: int, layout: Layout
) -> Residency | None:
    """Return `state` with the output of `group` in `half`, or None if some half would have two masters."""
    read_half = dict(state.read_half)
    bound = [(index, 1 - half)]
    for reader in readers:
        lead = state.groups[reader].lead
        assert isinstance(lead, MacLayer)
        bound.append((reader, half if lead.input_tensor == group.output else 1 - half))
    for reader, side in bound:
        if read_half.setdefault(reader, side) != side:
            return None
    size = layout.blocks[group.output]
    offset = _highest_gap(state, half, index, max(readers), size)
    if offset is None:
        return None
    kept = dict(state.kept)
    kept[group.output] = Kept(group.output, half, offset, size, index, max(readers))
    return Residency(state.groups, state.half_bytes, state.buffers, kept, read_half)


def _highest_gap(state: Residency, half: int, first: int, last: int, size_bytes: int) -> int | None:
    """Return the highest offset at which `size_bytes` are free in `half` while groups `first` to `last` run."""
    top = state.half_bytes
    alive = [k for k in state.kept.values() if k.half == half and k.first <= last and first <= k.last]
    for kept in sorted(alive, key=lambda k: -k.offset_bytes):
        if kept.offset_bytes + kept.size_bytes + size_bytes <= top:
            break
        top = min(top, kept.offset_bytes)
    return top - size_bytes if size_bytes <= top else None
