"""Whole small networks on a small machine: layouts, vector boxes, residents, and every order of events."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.accelerator import Accelerator
from hw_models.description import load_accelerator
from mappers.commands import ComputeCommand, LoadCommand, StoreCommand
from mappers.dram_layout import make_layout
from mappers.plan import Plan, make_plan
from mappers.views import View
from sim.machine import run_program
from tests.reference.naive_lowering import Addresses, AddressTable, joined
from tests.reference.naive_program_check import Interpreter, check_capacity, naive_bytes
from tests.reference.profile import examples
from workloads.builder import NetworkBuilder
from workloads.data_layers import CacheAppend, Concat, Expand, Pad, Reshape, Slice, Split, Transpose
from workloads.errors import InfeasibleError
from workloads.network import Network


def _small() -> Accelerator:
    """Return a machine that a layer of a few hundred bytes does not fit."""
    edge = load_accelerator("edge_int8")
    core = edge.core
    small = replace(
        core,
        array=replace(core.array, rows=4, cols=4),
        input=replace(core.input, half_bytes=512),
        weight=replace(core.weight, half_bytes=512),
        accumulator=replace(core.accumulator, half_bytes=512),
        vector=replace(core.vector, lanes=4, operand_half_bytes=160, output_half_bytes=160),
    )
    return replace(edge, core=small, sha256="small")


SMALL = _small()
VIEWS = (Reshape, Transpose, Slice, Split, Expand)
KINDS = (
    *("conv", "conv", "same", "same", "add", "concat", "pool", "relu"),
    *("norm", "pad", "slice", "split", "mul", "resize", "up"),
)


@st.composite
def image_networks(draw: st.DrawFn) -> Network:
    """Return a random chain over images with branches joined again."""
    b = NetworkBuilder("case", "test")
    x = b.input("x", (1, draw(st.integers(1, 5)), draw(st.integers(3, 7)), draw(st.integers(3, 7))))
    old = [x]
    for _ in range(draw(st.integers(1, 6))):
        _n, c, h, w = b.shape(x)
        kind = draw(st.sampled_from(KINDS))
        same = [o for o in old if b.shape(o) == b.shape(x) and o != x]
        tall = [o for o in old if b.shape(o)[2:] == (h, w) and o != x]
        if kind == "conv":
            kernel, stride = draw(st.sampled_from([1, 3])), draw(st.integers(1, 2))
            x = b.conv(x, draw(st.integers(1, 6)), kernel, padding=1, stride=stride)
        elif kind == "same":
            x = b.relu(b.conv(x, c, 3, padding=1, bn=True))
        elif kind == "up" and h * w < 60:
            x = b.conv_transpose(x, draw(st.integers(1, 3)), 2, stride=2)
        elif kind == "add" and same:
            x = b.add(x, draw(st.sampled_from(same)))
        elif kind == "concat" and tall:
            x = b.concat(x, draw(st.sampled_from(tall)))
        elif kind == "pool" and min(h, w) >= 2:
            x = draw(st.sampled_from([b.max_pool, b.avg_pool]))(x, 2, draw(st.integers(1, 2)), draw(st.integers(0, 1)))
        elif kind == "norm":
            x = b.norm(x, draw(st.sampled_from(["instance_norm", "batch_norm"])))
        elif kind == "pad":
            x = b.pad(x, (0, 0, 1, 0), (0, 0, 0, 2))
        elif kind == "slice" and h > 2:
            x = b.take(x, 2, 1, h)
        elif kind == "split" and c > 1:
            left, right = b.split(x, (1, c - 1))
            x = b.concat(right, left)
        elif kind == "mul":
            x = b.mul(x, b.act(b.conv(b.global_avg_pool(x), c, 1), "sigmoid"))
        elif kind == "resize" and h * w < 60:
            x = b.resize(x, (2 * h, w + 1), draw(st.sampled_from(["nearest", "linear"])))
        else:
            x = b.relu(x)
        old.append(x)
    return _built(b, x, draw(st.booleans()))


@st.composite
def sequence_networks(draw: st.DrawFn) -> Network:
    """Return a small transformer-like chain."""
    b = NetworkBuilder("case", "test")
    rows, heads = draw(st.integers(1, 6)), draw(st.integers(1, 3))
    width = heads * draw(st.sampled_from([2, 4]))
    x = b.input("x", (draw(st.integers(1, 2)), rows, width))
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(["attention", "mlp", "norm", "softmax", "reduce", "swap"]))
        if kind == "attention":
            q, k, v = (b.heads(b.linear(x, width), heads) for _ in range(3))
            x = b.add(b.linear(b.attention(q, k, v), width), x)
        elif kind == "mlp":
            x = b.add(b.linear(b.act(b.linear(x, 2 * width), "gelu"), width), x)
        elif kind == "norm":
            x = b.layer_norm(x)
        elif kind == "softmax":
            x = b.softmax(x, axis=draw(st.integers(1, 2)))
        elif kind == "reduce":
            x = b.add(x, b.reduce(x, "reduce_mean", (1,), keepdims=True))
        else:
            x = b.transpose(b.act(b.transpose(x, (0, 2, 1)), "silu"), (0, 2, 1))
    return _built(b, x, False)


def _built(b: NetworkBuilder, x: str, flat: bool) -> Network:
    """Return the network; an output that nothing computes gets a layer."""
    if flat:
        x = b.linear(b.flatten(x), 3)
    return b.build(b.act(x, "relu", name="last"))


def _array(view: View, base: int, shape: tuple[int, ...]) -> Addresses:
    """Return the addresses of a block of one factor per axis."""
    array = np.full(shape, base + view.offset_bytes, dtype=np.int64)
    for place, axis in enumerate(view.axes):
        if axis:
            ((size, stride),) = axis
            array += (np.arange(size) * stride).reshape([-1 if i == place else 1 for i in range(len(shape))])
    return array


def _tables(plan: Plan) -> AddressTable:
    layout = make_layout(plan.network, 1)
    tensors = plan.placement["tensors"]
    assert isinstance(tensors, list)
    at = {entry["name"]: entry["address"] for entry in tensors if entry["memory"] == "dram"}
    roots = {}
    for name, view in layout.views.items():
        producer = plan.network.producer(name)
        copied = producer is not None and producer.name in layout.copies
        if name in at and (copied or not isinstance(producer, VIEWS)):
            base = at[name] - view.offset_bytes
            roots[name] = _array(view, base, plan.network.tensor(name).shape)
    return AddressTable(plan.network, roots)


def _check(network: Network, seeds: tuple[int, ...]) -> Plan:
    try:
        plan = make_plan(network, SMALL)
    except InfeasibleError:
        return make_plan(network, load_accelerator("edge_int8"))
    program, core = plan.program, SMALL.core
    assert sum(c.macs for c in program.commands if isinstance(c, ComputeCommand)) == sum(r.macs for r in program.layers)
    halves = {
        "input": core.input.half_bytes,
        "weight": core.weight.half_bytes,
        "accumulator": core.accumulator.half_bytes,
        "operand": core.vector.operand_half_bytes,
        "output": core.vector.output_half_bytes,
    }
    check_capacity(program, halves)
    _check_bytes(plan)
    known: set[int] = set()
    for command in program.commands:
        if isinstance(command, LoadCommand) and not command.tensor.endswith("(sums)"):
            producer = network.producer(command.tensor)
            while producer is not None and isinstance(producer, VIEWS):
                producer = network.producer(producer.inputs[0])
            if producer is None:
                known.update(naive_bytes(command.transfers))
    for layer in network.layers:
        if isinstance(layer, Pad):  # the border is constant and there from the start
            table = _tables(plan)
            whole = set(table.of(layer.outputs[0]).reshape(-1).tolist())
            inner = tuple(slice(a, a + n) for a, n in zip(layer.before, layer.in_shapes[0], strict=True))
            known.update(whole - set(table.of(layer.outputs[0])[inner].reshape(-1).tolist()))
    for seed in seeds:
        Interpreter(program, known, Random(seed)).run()
    assert run_program(program, SMALL).cycles > 0
    return plan


def _check_bytes(plan: Plan) -> None:
    """Check that stores make every tensor once, byte by byte, and loads stay inside what they name."""
    network, table = plan.network, _tables(plan)
    kept = {e["name"] for e in plan.placement["tensors"] if e["memory"] == "input"}  # type: ignore[attr-defined]
    stored: dict[str, list[int]] = {}
    loaded: dict[str, set[int]] = {}
    for command in plan.program.commands:
        if isinstance(command, StoreCommand):
            stored.setdefault(command.tensor, []).extend(naive_bytes(command.transfers))
        elif isinstance(command, LoadCommand):
            loaded.setdefault(command.tensor, set()).update(naive_bytes(command.transfers))
    for name, found in stored.items():
        if name.endswith("(sums)"):
            continue
        layer = network.producer(name)
        wanted = table.of(name).reshape(-1).tolist()
        if isinstance(layer, Concat | Pad | CacheAppend):  # what is not copied is written by its own producer
            assert len(found) == len(set(found)) and set(found) <= set(wanted)
        else:
            assert sorted(found) == sorted(wanted), name
    for layer in network.layers:
        for name in layer.outputs:
            root = isinstance(layer, (*VIEWS, Concat, Pad, CacheAppend))
            fused = not any(name == e.group.output for e in plan.groups)
            assert root or fused or name in kept or name in stored, name
        if isinstance(layer, Concat):
            parts = [table.of(name) for name in layer.inputs]
            whole = table.of(layer.outputs[0])
            copied = set(stored.get(layer.outputs[0], ()))
            line = joined(layer, parts)
            same = (line == whole) | np.isin(whole, list(copied))
            assert same.all(), layer.name
    for name, found in loaded.items():
        if name in network.tensors and (network.producer(name) is not None or name in network.inputs):
            assert found <= set(table.of(name).reshape(-1).tolist()), name
            assert name not in kept


@given(image_networks(), st.integers(0, 99))
@settings(max_examples=examples(60))
def test_image_networks(network: Network, seed: int) -> None:
    _check(network, (seed, seed + 1))


@given(sequence_networks(), st.integers(0, 99))
@settings(max_examples=examples(40))
def test_sequence_networks(network: Network, seed: int) -> None:
    _check(network, (seed,))


def test_small_machine_keeps_and_sweeps() -> None:
    """The small machine does reach residents, long rows and large windows."""
    b = NetworkBuilder("case", "test")
    x = b.input("x", (1, 4, 6, 6))
    y = b.relu(b.conv(x, 4, 3, padding=1))
    y = b.add(b.conv(b.relu(b.conv(y, 4, 3, padding=1)), 4, 1), y)
    network = b.build(b.softmax(b.reshape(b.relu(y), (1, 144, 1)), axis=1))
    plan = _check(network, (0, 1, 2, 3))
    tensors = plan.placement["tensors"]
    assert isinstance(tensors, list)
    assert sum(entry["memory"] == "input" for entry in tensors) == 2
    softmax = [c for c in plan.program.commands if isinstance(c, LoadCommand) and c.layer == len(plan.groups) - 1]
    assert sum(c.bytes for c in softmax) == 144  # fits one half: one sweep
    wide = NetworkBuilder("wide", "test")
    z = wide.build(wide.softmax(wide.input("z", (1, 300)), axis=1))
    commands = _check(z, (0,)).program.commands
    assert sum(c.bytes for c in commands if isinstance(c, LoadCommand)) == 3 * 300
    assert sum(c.bytes for c in commands if isinstance(c, StoreCommand)) == 300
