"""Hostile and damaged models: one clean `InputError` each, in seconds, with the parent alive and its memory untouched.

Every case builds its file here; the child's peak memory is bounded by the address-space limit of the import (1 GiB).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from onnx import ModelProto, NodeProto, TensorProto, helper

from workloads.errors import InputError
from workloads.onnx_import import Limits, check_onnx, load_onnx

SECONDS = 60.0  # wall time on a busy machine; the bound that the import itself keeps is processor time
"""Bound of the requirement for each case."""


def info(name: str, shape: list[int | str | None], kind: int = TensorProto.FLOAT) -> object:
    return helper.make_tensor_value_info(name, kind, shape)


def model(
    nodes: list[NodeProto],
    inputs: list[object] | None = None,
    outputs: list[object] | None = None,
    weights: list[TensorProto] | None = None,
    opset: int = 17,
) -> ModelProto:
    graph = helper.make_graph(
        nodes,
        "g",
        inputs if inputs is not None else [info("x", [1, 3, 8, 8])],
        outputs or [info("y", [1])],
        weights or [],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])


def relu(source: str = "x", target: str = "y", name: str = "n") -> NodeProto:
    return helper.make_node("Relu", [source], [target], name)


def external(name: str, location: str, shape: list[int]) -> TensorProto:
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=shape, data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=location)
    return tensor


def conv_with(tensor: TensorProto) -> ModelProto:
    return model([helper.make_node("Conv", ["x", tensor.name], ["y"], "c")], weights=[tensor])


def truncated(folder: Path) -> bytes:
    return conv_with(
        helper.make_tensor("w", TensorProto.FLOAT, [8, 3, 3, 3], bytes(864), raw=True)
    ).SerializeToString()[:-400]


def nested(depth: int) -> ModelProto:
    def branch(level: int) -> object:
        inner = helper.make_node("If", ["c"], [f"b{level}"], f"if{level}") if level else relu("x", "b0")
        if level:
            inner.attribute.append(helper.make_attribute("then_branch", branch(level - 1)))
        return helper.make_graph([inner], f"g{level}", [], [info(f"b{level}", [1])])

    node = helper.make_node("If", ["c"], ["y"], "top")
    node.attribute.append(helper.make_attribute("then_branch", branch(depth)))
    node.attribute.append(helper.make_attribute("else_branch", branch(0)))
    return model([node], [info("x", [1]), info("c", [], TensorProto.BOOL)])


def deeply_nested(depth: int) -> bytes:
    """An If inside an If ..., written byte by byte: deeper than the protobuf library itself would build."""
    plain = model([relu()]).graph.SerializeToString()
    graph = plain
    for _ in range(depth):
        attribute = _field(1, b"then_branch") + _field(6, graph) + b"\xa0\x01\x05"
        graph = _field(1, _field(2, b"y") + _field(4, b"If") + _field(5, attribute)) + plain
    return _field(7, graph) + _field(8, b"\x10\x11") + b"\x08\x08"


def _field(number: int, body: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(body)) + body


def int64s(name: str, values: list[int]) -> TensorProto:
    return helper.make_tensor(name, TensorProto.INT64, [len(values)], values)


def constant_bomb() -> ModelProto:
    """8e9 elements asked of a constant, then reduced to one: an evaluator without bounds would fill the memory."""
    nodes = [
        helper.make_node("ConstantOfShape", ["s"], ["big"], "bomb"),
        helper.make_node("ReduceSum", ["big"], ["one"], "sum", keepdims=0),
        helper.make_node("Add", ["x", "one"], ["y"], "add"),
    ]
    return model(nodes, weights=[int64s("s", [2_000_000_000, 4])])


def tile_bomb(folder: Path) -> ModelProto:
    nodes = [helper.make_node("Tile", ["c", "r"], ["big"], "tile"), helper.make_node("Add", ["x", "big"], ["y"], "add")]
    return model(nodes, weights=[helper.make_tensor("c", TensorProto.FLOAT, [1], [1.0]), int64s("r", [1 << 62])])


def doubling_bomb(folder: Path) -> ModelProto:
    """Forty concatenations of a constant with itself: 2^40 elements from a file of 2 kB."""
    nodes = [helper.make_node("Concat", [f"c{i}", f"c{i}"], [f"c{i + 1}"], f"cat{i}", axis=0) for i in range(60)]
    nodes.append(helper.make_node("Reshape", ["x", "c60"], ["y"], "use"))
    return model(nodes, weights=[int64s("c0", [1, 1])])


def range_bomb(folder: Path) -> ModelProto:
    scalars = [helper.make_tensor(n, TensorProto.INT64, [], [v]) for n, v in (("a", 0), ("b", 1 << 40), ("d", 1))]
    nodes = [
        helper.make_node("Range", ["a", "b", "d"], ["r"], "range"),
        helper.make_node("Add", ["x", "r"], ["y"], "add"),
    ]
    return model(nodes, weights=scalars)


def symlink(folder: Path) -> ModelProto:
    (folder / "w.bin").symlink_to("/etc/hostname")
    return conv_with(external("w", "w.bin", [8, 3, 3, 3]))


def symlinked_folder(folder: Path) -> ModelProto:
    (folder / "sub").symlink_to("/etc")
    return conv_with(external("w", "sub/hostname", [8, 3, 3, 3]))


def bad_utf8(folder: Path) -> bytes:
    return model([relu(name="NAME")]).SerializeToString().replace(b"NAME", b"\xff\xfe\xfd\xfc")


def many_nodes(folder: Path) -> ModelProto:
    nodes = [helper.make_node("Relu", [f"t{i}"], [f"t{i + 1}"]) for i in range(100_000)]
    return model(nodes, [info("t0", [1])], [info("t100000", [1])])


CASES: dict[str, tuple[Callable[[Path], ModelProto | bytes], str]] = {
    "empty": (lambda f: b"", "the file is empty"),
    "one byte": (lambda f: b"\x08", "truncated or is not an ONNX model"),
    "text": (lambda f: b"this is not a model\n" * 100, "not an ONNX model"),
    "png": (lambda f: b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4, "not an ONNX model"),
    "zeros": (lambda f: bytes(1 << 20), "not an ONNX model"),
    "truncated": (truncated, "truncated"),
    "no graph": (lambda f: helper.make_model(helper.make_graph([], "g", [], [])).SerializeToString(), "holds no graph"),
    "no outputs": (lambda f: ModelProto.FromString(_without_outputs()), "has no outputs"),
    "length over the end": (lambda f: b"\x3a\xff\xff\xff\xff\x7f" + bytes(64), "truncated"),
    "endless varint": (lambda f: b"\xff" * 64, "an integer does not end"),
    "millions of fields": (lambda f: b"\x08\x01" * 3_000_000, "protobuf fields"),
    "huge input": (lambda f: model([relu()], [info("x", [1 << 40])]), "bound is 0..2147483647"),
    "huge product": (lambda f: model([relu()], [info("x", [1 << 30] * 4)]), "elements, bound is"),
    "huge weight": (lambda f: conv_with(external("w", "w.bin", [1 << 40, 3, 3, 3])), "bound is 0..2147483647"),
    "negative input": (lambda f: model([relu()], [info("x", [1, -3, 8, 8])]), "axis 1 has size -3|bound is >= 1"),
    "negative weight": (lambda f: conv_with(external("w", "w.bin", [8, -3, 3, 3])), "axis 1 has size -3"),
    "rank 100": (lambda f: model([relu()], [info("x", [1] * 100)]), "rank is 100"),
    "cycle": (lambda f: model([relu("b", "a", "n1"), relu("a", "b", "n2"), relu("a", "y", "n3")]), "is on a cycle"),
    "self cycle": (lambda f: model([relu("y", "y")]), "is on a cycle"),
    "duplicate output": (lambda f: model([relu(), relu(name="m")]), "is made twice"),
    "output shadows input": (lambda f: model([relu("x", "x")]), "is made twice"),
    "duplicate initializer": (
        lambda f: model([relu()], weights=[int64s("w", [1]), int64s("w", [2])]),
        "initializer 'w' appears twice",
    ),
    "duplicate input": (lambda f: model([relu()], [info("x", [1]), info("x", [1])]), "input 'x' appears twice"),
    "missing input": (lambda f: model([relu("nowhere")]), "input 'nowhere' is made by no node"),
    "missing output": (lambda f: model([relu("x", "z")]), "output 'y' is made by no node"),
    "absent required input": (lambda f: model([helper.make_node("Conv", ["x", ""], ["y"], "c")]), "input 1 is missing"),
    "path traversal": (lambda f: conv_with(external("w", "../w.bin", [8, 3, 3, 3])), "outside the model's folder"),
    "hidden traversal": (
        lambda f: conv_with(external("w", "a/../../w.bin", [8, 3, 3, 3])),
        "outside the model's folder",
    ),
    "backslash traversal": (
        lambda f: conv_with(external("w", "..\\w.bin", [8, 3, 3, 3])),
        "outside the model's folder",
    ),
    "absolute path": (lambda f: conv_with(external("w", "/etc/passwd", [8, 3, 3, 3])), "outside the model's folder"),
    "nul in path": (lambda f: conv_with(external("w", "w\0.bin", [8, 3, 3, 3])), "outside the model's folder"),
    "symlink": (symlink, "outside the model's folder"),
    "symlinked folder": (symlinked_folder, "outside the model's folder"),
    "traversal in constant": (
        lambda f: model([helper.make_node("Constant", [], ["y"], "k", value=external("w", "../../w", [9, 9]))]),
        "outside the model's folder",
    ),
    "nested 20 deep": (lambda f: nested(20), "control flow is not supported"),
    "nested 40 deep": (lambda f: deeply_nested(40), "not a readable ONNX protobuf"),
    "nested 5000 deep": (lambda f: deeply_nested(5000), "not a readable ONNX protobuf"),
    "tile bomb": (tile_bomb, "bound is"),
    "doubling bomb": (doubling_bomb, "bound is"),
    "range bomb": (range_bomb, "bound is"),
    "bad UTF-8": (bad_utf8, "is not UTF-8"),
    "100 000 nodes": (many_nodes, "100000 nodes, bound is 20000"),
    "opset 99": (lambda f: model([relu()], opset=99), "opset 99, bound is 11"),
    "opset 6": (lambda f: model([relu()], opset=6), "opset 6, bound is 11"),
    "no opset": (lambda f: _no_opset(), "0 versions of the standard operator set"),
    "string input": (
        lambda f: model([relu()], [info("x", [1], TensorProto.STRING)]),
        "string tensors are not supported",
    ),
    "string weight": (
        lambda f: model([relu()], weights=[helper.make_tensor("w", TensorProto.STRING, [1], [b"a"])]),
        "string tensors are not supported",
    ),
    "data of another size": (
        lambda f: conv_with(TensorProto(name="w", data_type=1, dims=[8, 3, 1, 1], raw_data=bytes(12))),
        "its data does not fit shape",
    ),
    "unknown element type": (
        lambda f: conv_with(TensorProto(name="w", data_type=77, dims=[8, 3, 1, 1])),
        "element type 77",
    ),
    "channels differ": (
        lambda f: conv_with(external("w", "w.bin", [8, 4, 3, 3])),
        "input has 3 channels",
    ),
    "kernel too large": (lambda f: conv_with(external("w", "w.bin", [8, 3, 9, 9])), "does not fit input 8"),
    "huge stride": (
        lambda f: model(
            [helper.make_node("Conv", ["x", "w"], ["y"], "c", strides=[1 << 50, 1])],
            weights=[external("w", "w", [8, 3, 1, 1])],
        ),
        "strides is",
    ),
    "huge padding": (
        lambda f: model(
            [helper.make_node("Conv", ["x", "w"], ["y"], "c", pads=[1 << 30] * 4)],
            weights=[external("w", "w", [8, 3, 1, 1])],
        ),
        "bound is",
    ),
    "huge kernel of a pool": (
        lambda f: model([helper.make_node("MaxPool", ["x"], ["y"], "p", kernel_shape=[1 << 40, 1])]),
        "kernel is",
    ),
    "reshape to nonsense": (
        lambda f: model([helper.make_node("Reshape", ["x", "s"], ["y"], "r")], weights=[int64s("s", [-5, 7])]),
        "target shape is",
    ),
    "zero-size input": (lambda f: model([relu()], [info("x", [0, 3])]), "bound is >= 1"),
    "unknown domain": (
        lambda f: model([helper.make_node("Magic", ["x"], ["y"], "m", domain="org.example")]),
        "domain 'org.example' is not known",
    ),
    "misspelt operator": (lambda f: model([helper.make_node("Rellu", ["x"], ["y"], "m")]), "did you mean 'Relu'"),
    "loop": (lambda f: _loop(), "control flow is not supported"),
    "nothing to run": (lambda f: model([helper.make_node("Identity", ["x"], ["y"], "i")]), "nothing to simulate"),
}


def _without_outputs() -> bytes:
    made = model([relu()])
    del made.graph.output[:]
    return made.SerializeToString()


def _no_opset() -> ModelProto:
    made = model([relu()])
    del made.opset_import[:]
    return made


def _loop() -> ModelProto:
    body = helper.make_graph([relu("i", "o")], "body", [], [info("o", [1])])
    return model([helper.make_node("Loop", ["", "", "x"], ["y"], "loop", body=body)])


@pytest.mark.parametrize("case", CASES)
def test_hostile_model_is_refused_cleanly(case: str, tmp_path: Path) -> None:
    build, message = CASES[case]
    made = build(tmp_path)
    path = tmp_path / "x.onnx"
    path.write_bytes(made if isinstance(made, bytes) else made.SerializeToString())
    start = time.monotonic()
    with pytest.raises(InputError, match=message) as caught:
        load_onnx(path)
    assert time.monotonic() - start < SECONDS
    assert "x.onnx" in str(caught.value) and "Traceback" not in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_constant_bomb_is_never_evaluated(tmp_path: Path) -> None:
    """The model is valid, so it imports; the eight thousand million elements exist as a shape only."""
    path = tmp_path / "x.onnx"
    path.write_bytes(constant_bomb().SerializeToString())
    start = time.monotonic()
    report = load_onnx(path, limits=Limits(memory_bytes=400 << 20))
    assert time.monotonic() - start < SECONDS
    assert [layer.op for layer in report.network.layers] == ["add"]


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no such file"):
        load_onnx(tmp_path / "nowhere.onnx")


@pytest.mark.parametrize("kind", ["folder", "fifo"])
def test_only_regular_files_are_opened(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "x.onnx"
    path.mkdir() if kind == "folder" else os.mkfifo(path)
    with pytest.raises(InputError, match=r"not a regular file|cannot be read"):
        load_onnx(path)


def test_endless_device_is_refused() -> None:
    with pytest.raises(InputError, match=r"not a regular file"):
        load_onnx("/dev/zero")


def test_huge_file_is_read_without_its_weights(tmp_path: Path) -> None:
    """A sparse file of 3 GiB whose weight is a hole: over the child's memory, yet imported."""
    made = conv_with(TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1 << 15, 3, 91, 90]))
    made.graph.input[0].CopyFrom(info("x", [1, 3, 100, 100]))
    size = (1 << 15) * 3 * 91 * 90 * 4
    tensor = made.graph.initializer.pop()
    head = made.SerializeToString()
    # protobuf joins messages that occur twice: a second graph field holds the initializer, its raw data is a hole
    body = tensor.SerializeToString() + b"\x4a" + _varint(size)
    wrapped = b"\x2a" + _varint(len(body) + size) + body
    path = tmp_path / "x.onnx"
    with path.open("wb") as file:
        file.write(head + b"\x3a" + _varint(len(wrapped) + size) + wrapped)
        file.truncate(file.tell() + size)
    assert path.stat().st_size > 3_000_000_000
    start = time.monotonic()
    report = load_onnx(path)
    assert time.monotonic() - start < SECONDS
    assert report.network.parameters == size // 4


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def test_memory_bound_holds(tmp_path: Path) -> None:
    """A graph that is legal but larger than the bound given ends in an error that names the bound."""
    path = tmp_path / "x.onnx"
    path.write_bytes(many_nodes(tmp_path).SerializeToString())
    with pytest.raises(InputError, match=r"80000000 bytes|without an answer"):
        load_onnx(path, limits=Limits(memory_bytes=80_000_000, nodes=1_000_000))


def test_time_bound_holds(tmp_path: Path) -> None:
    path = tmp_path / "x.onnx"
    path.write_bytes(many_nodes(tmp_path).SerializeToString())
    start = time.monotonic()
    with pytest.raises(InputError, match=r"did not finish in 0.3 s"):
        load_onnx(path, limits=Limits(seconds=0.3, nodes=1_000_000))
    assert time.monotonic() - start < SECONDS


@pytest.mark.parametrize("kind", ["chain", "fingerprints", "one tensor read by all"])
def test_twenty_thousand_nodes_import_in_time(kind: str, tmp_path: Path) -> None:
    """The largest graphs allowed, in forms that would make a careless recogniser or fold quadratic."""
    if kind == "chain":
        nodes = [helper.make_node("Relu" if i % 2 else "Sigmoid", [f"t{i}"], [f"t{i + 1}"]) for i in range(20_000)]
    elif kind == "fingerprints":
        pairs = [(relu(f"t{2 * i}", f"t{2 * i + 1}", f"r{i}"), i) for i in range(10_000)]
        nodes = [
            x
            for first, i in pairs
            for x in (first, helper.make_node("Mul", [f"t{2 * i}", f"t{2 * i + 1}"], [f"t{2 * i + 2}"]))
        ]
    else:
        nodes = [helper.make_node("Mul", ["t0", "k"], [f"y{i}"]) for i in range(19_999)]
        nodes.append(helper.make_node("Sum", [n.output[0] for n in nodes], ["t20000"]))
    weights = [helper.make_tensor("k", TensorProto.FLOAT, [], [2.0])]
    path = tmp_path / "x.onnx"
    path.write_bytes(model(nodes, [info("t0", [1, 8])], [info("t20000", [1, 8])], weights).SerializeToString())
    start = time.monotonic()
    assert len(check_onnx(path).nodes) == 20_000
    assert time.monotonic() - start < SECONDS
