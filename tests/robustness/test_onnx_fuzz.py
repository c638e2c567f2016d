"""Damaged real models: random bytes and random edits of the graph end in a network, a report or an `InputError`.

Runs inside this process, so that an exception of any other kind shows its traceback; `InternalError` counts as a
failure (a rule and a lowering that disagree on a shape).
"""

from __future__ import annotations

import io
import json
import random
from pathlib import Path

import onnx
import pytest
from onnx import AttributeProto, GraphProto, ModelProto, numpy_helper

from workloads.errors import InputError
from workloads.network import Network
from workloads.onnx_import.graph import read_graph
from workloads.onnx_import.lower import convert
from workloads.onnx_import.skim import skim

FOLDER = Path(__file__).parent.parent / "data" / "onnx"
SMALL = sorted(path for path in FOLDER.glob("*.onnx") if path.stat().st_size < 12_000)
NUMBERS = (0, -1, 1, 2, 3, 7, -7, 128, 1 << 31, 1 << 40, -(1 << 62), (1 << 63) - 1)
OTHER_OPS = ["Attention", "Tile", "Pad", "Resize", "Gelu", "LSTM", "OneHot", "GroupNormalization", "SpaceToDepth"]
OTHER_OPS += [
    "GatherND",
    "ArgMax",
    "CumSum",
    "Mish",
    "Loop",
    "NonZero",
    "QLinearConcat",
    "Softmax",
    "Split",
    "Where",
    "Rellu",
]


def attempt(serialised: bytes) -> None:
    """Import a model as the child does; only `InputError` may come out."""
    try:
        reduced = skim(io.BytesIO(serialised), "f.onnx", len(serialised), 1 << 24, 100_000)
        done = convert(read_graph(reduced, FOLDER / "f.onnx", {}, 5000), "fuzz")
    except InputError:
        return
    if done.network is None:
        assert done.problem.startswith("model 'f.onnx': node '")
    else:
        assert Network.from_json(json.loads(json.dumps(done.network.to_json()))) == done.network


def damage_bytes(source: bytes, chance: random.Random) -> bytes:
    """Flip, replace, delete, insert and copy bytes."""
    data = bytearray(source)
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        place = chance.randrange(len(data))
        kind = chance.randrange(5)
        if kind == 0:
            data[place] ^= 1 << chance.randrange(8)
        elif kind == 1:
            data[place] = chance.choice((0, 1, 0x7F, 0x80, 0xFF))
        elif kind == 2 and len(data) > 40:
            del data[place : place + chance.randrange(1, 20)]
        elif kind == 3:
            data[place:place] = chance.randbytes(chance.randrange(1, 8))
        else:
            other = chance.randrange(len(data))
            data[place : place + 8] = data[other : other + 8]
    return bytes(data)


def edit_node(graph: GraphProto, chance: random.Random) -> None:
    """Rewire, rename or cut one node."""
    node = chance.choice(graph.node)
    names = (
        [o for n in graph.node for o in n.output] + [t.name for t in graph.initializer] + [i.name for i in graph.input]
    )
    kind = chance.randrange(5)
    if kind == 0 and node.input:
        node.input[chance.randrange(len(node.input))] = chance.choice([*names, ""])
    elif kind == 1:
        node.op_type = chance.choice([*OTHER_OPS, *(n.op_type for n in graph.node)])
    elif kind == 2 and node.input:
        del node.input[chance.randrange(len(node.input))]
    elif kind == 3:
        node.input.append(chance.choice(names))
    elif node.attribute:
        del node.attribute[chance.randrange(len(node.attribute))]


def edit_number(graph: GraphProto, chance: random.Random) -> None:
    """Change one number: of an attribute, of a small constant, of a dimension."""
    node = chance.choice(graph.node)
    kind = chance.randrange(4)
    if kind == 0 and node.attribute:
        attribute = chance.choice(node.attribute)
        if attribute.ints:
            attribute.ints[chance.randrange(len(attribute.ints))] = chance.choice(NUMBERS)
        elif attribute.type == AttributeProto.INT:
            attribute.i = chance.choice(NUMBERS)
        elif attribute.type == AttributeProto.TENSOR and attribute.t.raw_data:
            array = numpy_helper.to_array(attribute.t).copy()
            if array.size and array.dtype.kind == "i":
                array.reshape(-1)[chance.randrange(array.size)] = chance.choice(NUMBERS)
                attribute.t.CopyFrom(numpy_helper.from_array(array))
    elif kind == 1 and graph.initializer:
        tensor = chance.choice(graph.initializer)
        if tensor.dims:
            tensor.dims[chance.randrange(len(tensor.dims))] = chance.choice(NUMBERS)
    elif kind == 2 and graph.initializer:
        chance.choice(graph.initializer).dims.append(chance.choice((1, 2, 3)))
    else:
        dims = graph.input[0].type.tensor_type.shape.dim
        dims[chance.randrange(len(dims))].dim_value = chance.choice(NUMBERS)


def run_bytes(seed: int, count: int) -> None:
    chance = random.Random(seed)
    sources = [path.read_bytes() for path in SMALL]
    for _ in range(count):
        attempt(damage_bytes(chance.choice(sources), chance))


def run_edits(seed: int, count: int) -> None:
    chance = random.Random(seed)
    models = [onnx.load(str(path), load_external_data=False) for path in SMALL]
    for _ in range(count):
        model = ModelProto()
        model.CopyFrom(chance.choice(models))
        for _ in range(chance.choice((1, 1, 2, 3))):
            chance.choice((edit_node, edit_number))(model.graph, chance)
        attempt(model.SerializeToString())


def test_random_bytes_are_refused_or_imported() -> None:
    run_bytes(seed=11, count=500)


def test_random_edits_are_refused_or_imported() -> None:
    run_edits(seed=12, count=500)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(20))
def test_long_fuzzing(seed: int) -> None:
    run_bytes(1000 + seed, 10_000)
    run_edits(2000 + seed, 10_000)
