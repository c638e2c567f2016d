"""Shape rules and the constant evaluator against the operator tests that the onnx package ships.

Every such test is a model of one node with concrete inputs and the outputs of the specification's reference. Shapes
must agree wherever the importer takes the operator, and values wherever its evaluator claims to know them.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from workloads.errors import InputError
from workloads.onnx_import.graph import Graph, read_graph
from workloads.onnx_import.infer import infer
from workloads.onnx_import.lower import convert
from workloads.onnx_import.shape_rules import RULES

HERE = Path(__file__).parent


def official() -> list[Any]:
    """Return the single-node test cases of the installed onnx package."""
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return list(collect_testcases(None))


def with_constant_inputs(case: Any, every: bool) -> ModelProto:
    """Return the case's model with its inputs as initializers: all of them, or those that are not the first."""
    model = ModelProto()
    model.CopyFrom(case.model)
    for info, array in zip(case.model.graph.input, case.data_sets[0][0], strict=True):
        if not every and info.name == case.model.graph.input[0].name:
            continue
        model.graph.initializer.append(numpy_helper.from_array(np.asarray(array), info.name))
    return model


def usable(case: Any) -> bool:
    """Tell whether a case is one plain tensor node of an operator and opset that the importer takes."""
    model = case.model
    arrays = [*case.data_sets[0][0], *case.data_sets[0][1]]
    tensors = all(isinstance(a, np.ndarray | np.generic) and np.asarray(a).dtype.kind in "fiub" for a in arrays)
    opsets = {o.domain: o.version for o in model.opset_import}
    known = all(n.op_type in RULES and n.domain in ("", "ai.onnx") for n in model.graph.node)
    return tensors and known and set(opsets) <= {"", "ai.onnx"} and 11 <= next(iter(opsets.values())) <= 26


def graph_of(model: ModelProto) -> Graph:
    return read_graph(model.SerializeToString(), HERE / "case.onnx", {}, 100)


def test_shapes_and_values_equal_the_specification() -> None:
    shapes = values = 0
    for case in filter(usable, official()):
        try:
            graph = graph_of(with_constant_inputs(case, every=True))
        except InputError:
            continue  # empty tensors and the like, refused before any rule
        inferred = infer(graph)
        if inferred.refusals:
            continue
        for name, wanted in zip(graph.outputs, case.data_sets[0][1], strict=True):
            array = np.asarray(wanted)
            if name not in inferred.values:
                continue
            made = inferred.values[name]
            assert made.shape == array.shape, f"{case.name}: {made.shape} for {array.shape}"
            shapes += 1
            if made.data is not None:
                np.testing.assert_allclose(
                    made.data.astype(np.float64), array.astype(np.float64), rtol=1e-4, atol=1e-6, err_msg=case.name
                )
                values += 1
    assert shapes > 500 and values > 200, (shapes, values)


def test_lowering_gives_the_shapes_of_the_specification() -> None:
    """One runtime input, everything else constant: where a network comes out, its output has the reference's shape."""
    lowered: dict[str, int] = {}
    for case in filter(usable, official()):
        try:
            graph = graph_of(with_constant_inputs(case, every=False))
            done = convert(graph, "test")
        except InputError:
            continue
        if done.network is None or [n for n in done.nodes if n.placement == "host"]:
            continue
        op = case.model.graph.node[-1].op_type
        wanted = [np.asarray(a).shape for a in case.data_sets[0][1]]
        made = [done.network.tensor(o).shape for o in done.network.outputs]
        # outputs that are scale or zero point of dynamic quantisation are no tensors of the network
        assert made == wanted[: len(made)], f"{case.name}: {made} for {wanted}"
        lowered[op] = lowered.get(op, 0) + 1
    assert len(lowered) > 60, sorted(lowered)


def one_node(op: str, shapes: list[list[int]], out: int = 1, opset: int = 20, **attributes: Any) -> Graph:
    inputs = [helper.make_tensor_value_info(f"i{k}", TensorProto.FLOAT, s) for k, s in enumerate(shapes)]
    outputs = [helper.make_tensor_value_info(f"o{k}", TensorProto.FLOAT, None) for k in range(out)]
    node = helper.make_node(op, [i.name for i in inputs], [o.name for o in outputs], "n", **attributes)
    graph = helper.make_graph([node], "g", inputs, outputs)
    return graph_of(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)]))


@pytest.mark.parametrize(
    ("a", "b", "macs"),
    [
        ([5, 7], [7, 3], 5 * 7 * 3),
        ([2, 5, 7], [7, 3], 2 * 5 * 7 * 3),
        ([2, 5, 7], [2, 7, 3], 2 * 5 * 7 * 3),
        ([2, 4, 5, 7], [4, 7, 3], 2 * 4 * 5 * 7 * 3),
        ([4, 5, 7], [2, 1, 7, 3], 2 * 4 * 5 * 7 * 3),
        ([1, 5, 7], [6, 7, 3], 6 * 5 * 7 * 3),
        ([5, 7], [6, 7, 3], 6 * 5 * 7 * 3),
        ([7], [7, 3], 7 * 3),
        ([5, 7], [7], 5 * 7),
        ([7], [7], 7),
        ([2, 5, 7], [7], 2 * 5 * 7),
        ([7], [2, 7, 3], 2 * 7 * 3),
    ],
)
def test_matmul_of_any_ranks_has_the_macs_of_its_definition(a: list[int], b: list[int], macs: int) -> None:
    done = convert(one_node("MatMul", [a, b]), "test")
    assert done.network is not None, done.problem
    assert done.network.macs == macs
    shape = np.matmul(np.zeros(a), np.zeros(b)).shape
    assert done.network.tensor("o0").shape == shape


@pytest.mark.parametrize("opset", [11, 12])
def test_softmax_before_opset_13_over_several_axes_is_refused(opset: int) -> None:
    done = convert(one_node("Softmax", [[2, 3, 4]], opset=opset, axis=1), "test")
    assert "softmax over several axes" in done.problem
    assert convert(one_node("Softmax", [[2, 3, 4]], opset=opset, axis=2), "test").network is not None


def test_host_operator_behind_the_network_is_left_to_the_host() -> None:
    info = helper.make_tensor_value_info
    nodes = [
        helper.make_node("Relu", ["x"], ["r"], "relu"),
        helper.make_node("NonZero", ["r"], ["y"], "nonzero"),
    ]
    graph = helper.make_graph(nodes, "g", [info("x", 1, [2, 3])], [info("y", TensorProto.INT64, [2, None])])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    done = convert(graph_of(made), "test")
    assert done.network is not None and done.network.outputs == ("r",)
    assert [n.placement for n in done.nodes] == ["vector unit", "host"]
    assert "1 nodes run on the host" in done.notes[-1]


def test_host_operator_between_layers_is_refused_by_name() -> None:
    info = helper.make_tensor_value_info
    nodes = [
        helper.make_node("Relu", ["x"], ["r"], "before"),
        helper.make_node("Sin", ["r"], ["s"], "sine"),
        helper.make_node("Relu", ["s"], ["y"], "behind"),
    ]
    graph = helper.make_graph(nodes, "g", [info("x", 1, [2, 3])], [info("y", 1, [2, 3])])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    done = convert(graph_of(made), "test")
    assert done.problem.startswith("model 'case.onnx': node 'sine' (Sin) cannot be simulated: ")
    assert [n.placement for n in done.nodes] == ["vector unit", "host", "vector unit"]


def test_weights_written_as_graph_inputs_are_taken_as_weights() -> None:
    done = convert(one_node("Conv", [[1, 3, 8, 8], [4, 3, 3, 3], [4]]), "test")
    assert done.network is not None and done.network.inputs == ("i0",)
    assert done.network.parameters == 4 * 27 + 4 and done.network.macs == 4 * 27 * 36
    assert any("2 graph inputs are read as weights only" in note for note in done.notes)
