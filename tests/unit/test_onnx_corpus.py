"""Every committed graph of a real exporter imports with the MACs torch counted and the parameters torch lists.

Where a number differs from torch's the difference is stated here, with its reason.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from workloads.errors import InputError
from workloads.mac_layers import MacLayer
from workloads.norm_layers import Norm
from workloads.onnx_import import PLACEMENTS, ImportReport, check_onnx, load_onnx
from workloads.vector_layers import Activation

FOLDER = Path(__file__).parent.parent / "data" / "onnx"
EXPECTED = json.loads((FOLDER / "expected.json").read_text(encoding="utf-8"))
REFUSED = {"lstm_ts17": "recurrent layers are not supported"}
IMPORTED = [name for name in EXPECTED if name not in REFUSED]

# constants that are no torch parameters but sit in the graph as tensors of their own
CONSTANTS = {
    "llama": 2 * 16 * 16 + 16 * 16,  # rotary cosines and sines, causal mask
    "sdpa": 16 * 16,  # causal mask
    "attention": 1,  # the threshold that makes the mask
    "mlp_ts": 8 + 1,  # scale and bias of the instance norm that stands for the group norm, its constant bias
    "mlp_dynamo": 8 + 48 + 48,  # the same, with the affine part spelled out for every channel
}
KEPT = {"sdpa_dynamo23": 0, "dense_ts11": 0, "dense_ts13_bn": 0, "dense_ts17": 0, "dense_dynamo18": 0}


def load(name: str) -> ImportReport:
    return load_onnx(FOLDER / f"{name}.onnx", EXPECTED[name]["dims"])


def extra_parameters(name: str) -> int:
    if name in KEPT:
        return KEPT[name]
    # a batch norm that the exporter folded leaves one bias of the two vectors
    folded = 0 if name.endswith("_bn") else EXPECTED[name]["norm_channels"]
    return next((n for prefix, n in CONSTANTS.items() if name.startswith(prefix)), 0) - folded


def test_corpus_and_expectations_list_the_same_graphs() -> None:
    assert sorted(EXPECTED) == sorted(path.stem for path in FOLDER.glob("*.onnx"))
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 1_500_000


@pytest.mark.parametrize("name", IMPORTED)
def test_macs_and_parameters_are_those_of_torch(name: str) -> None:
    report = load(name)
    assert report.network.macs == EXPECTED[name]["macs"]
    assert report.network.parameters == EXPECTED[name]["parameters"] + extra_parameters(name)
    assert report.check.macs == report.network.macs
    assert not [node for node in report.check.nodes if node.placement in ("host", "refused")]


@pytest.mark.parametrize("name", ["resnet50_ts13_bn", "resnet50_ts17", "resnet50_dynamo18"])
def test_resnet50_equals_the_published_count(name: str) -> None:
    """4.089 GMAC and 25 557 032 parameters; a graph with folded batch norms has one vector of 26 560 less."""
    network = load(name).network
    assert network.macs == 4_089_184_256
    assert network.parameters == 25_557_032 - (0 if name.endswith("_bn") else 26_560)
    assert [type(layer).__name__ for layer in network.order].count("MacLayer") == 54


def test_resnet50_equals_the_built_in_layer_by_layer() -> None:
    zoo = pytest.importorskip("workloads.zoo")
    built_in = zoo.load("resnet50") if hasattr(zoo, "load") else zoo.build("resnet50")
    imported = load("resnet50_ts13_bn").network
    assert imported.macs == built_in.macs and imported.parameters == built_in.parameters

    def bag(network: object) -> list[str]:
        return sorted(
            repr((x.op, x.dims, x.strides, x.padding, x.has_bias, x.has_scale))
            for x in network.mac_layers  # type: ignore[attr-defined]
        )

    assert bag(imported) == bag(built_in)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_unsupported_node_is_named_and_check_still_reports_all(name: str) -> None:
    path = FOLDER / f"{name}.onnx"
    with pytest.raises(InputError, match=rf"^model '{name}\.onnx': node '/lstm/LSTM' \(LSTM\) cannot be simulated: "):
        load_onnx(path)
    report = check_onnx(path)
    assert not report.supported and REFUSED[name] in report.problem
    assert {n.op for n in report.nodes if n.placement == "refused"} == {"LSTM"}
    # 5 steps, four gates of 24 units over 16 inputs and 24 states; then 24 x 3
    assert report.macs == 5 * 4 * 24 * (16 + 24) + 72
    assert report.share("refused", "macs") == pytest.approx(1 - 72 / report.macs)


@pytest.mark.parametrize("name", sorted(n for n, e in EXPECTED.items() if e["dims"]))
def test_symbolic_dimension_is_asked_for_by_name(name: str) -> None:
    wanted = rf"^model '{name}\.onnx': dimension 'batch' of input 'x' is symbolic; give --dim batch=1$"
    with pytest.raises(InputError, match=wanted):
        load_onnx(FOLDER / f"{name}.onnx")
    one, four = (load_onnx(FOLDER / f"{name}.onnx", {"batch": n}).network for n in (1, 4))
    assert four.macs == 4 * one.macs and four.parameters == one.parameters


def test_unknown_dimension_name_is_refused() -> None:
    wanted = r"--dim bacth: no input has a symbolic dimension of that name; known are batch$"
    with pytest.raises(InputError, match=wanted):
        load_onnx(FOLDER / "resnet_tiny_ts17_batch.onnx", {"batch": 1, "bacth": 1})
    with pytest.raises(InputError, match=r"--dim batch=0: bound is 1\.\."):
        load_onnx(FOLDER / "resnet_tiny_ts17_batch.onnx", {"batch": 0})


@pytest.mark.parametrize(
    ("name", "op", "count"),
    [
        ("encoder_tanh_ts14", "layer_norm", 4),
        ("encoder_tanh_ts14", "gelu_tanh", 2),
        ("encoder_none_ts17", "gelu", 2),
        ("encoder_none_dynamo18", "gelu", 2),
        ("encoder_tanh_dynamo20", "gelu_tanh", 2),
        ("attention_ts11", "layer_norm", 2),
        ("attention_ts11", "gelu_tanh", 1),
        ("attention_dynamo18", "gelu_tanh", 1),
        ("llama_ts14", "rms_norm", 2),
        ("llama_dynamo18", "rms_norm", 2),
        ("llama_dynamo23", "rms_norm", 2),
        ("llama_ts17", "silu", 1),
        ("mobilenet_hardswish_ts11", "hardswish", 7),
        ("mobilenet_hardswish_ts17", "hardswish", 7),
        ("mobilenet_relu6_ts11", "relu6", 7),
        ("sdpa_ts14", "layer_norm", 1),
    ],
)
def test_spelled_out_functions_are_recognised(name: str, op: str, count: int) -> None:
    layers = load(name).network.layers
    assert sum(layer.op == op for layer in layers) == count
    leftovers = {"reduce_mean", "erf", "tanh", "sqrt", "pow", "sigmoid", "hardsigmoid", "reciprocal"}
    allowed = {"hardsigmoid"} if name.startswith("mobilenet_hardswish") else set()
    assert not {layer.op for layer in layers} & (leftovers - allowed)


@pytest.mark.parametrize("name", ["encoder_none_ts17", "sdpa_ts14", "sdpa_dynamo18", "llama_ts17", "attention_ts11"])
def test_attention_is_two_batched_products_around_a_softmax(name: str) -> None:
    report = load(name)
    named = [n for n in report.check.nodes if n.reason.endswith(", part of attention")]
    softmaxes = [n for n in named if n.op == "Softmax"]
    assert softmaxes and sum(n.op == "MatMul" for n in named) == 2 * len(softmaxes)
    inside = [x for x in report.network.mac_layers if x.weight_is_activation]
    assert len(inside) == 2 * len(softmaxes) and all(x.op == "matmul" for x in inside)
    # the keys are read row by row, not through a transposition of the whole matrix
    assert [x.weight_layout for x in inside] == ["kc", "ck"] * len(softmaxes)


def test_folded_batch_norm_is_scale_and_bias_of_its_convolution() -> None:
    layers = load("resnet_tiny_ts13_bn").network.mac_layers
    convolutions = [layer for layer in layers if layer.op == "conv"]
    assert all(layer.has_scale and layer.has_bias for layer in convolutions) and len(convolutions) == 9


def test_batch_norm_ahead_of_its_convolution_stays_a_layer() -> None:
    """After a concatenation there is nothing to fold into; the second norm of the corpus model is such a one."""
    for name in ("dense_ts13_bn", "dense_ts17", "dense_dynamo18"):
        layers = load(name).network.layers
        assert [layer.op for layer in layers if isinstance(layer, Norm)] == ["batch_norm", "batch_norm"]


def test_explicit_zero_padding_is_folded_into_the_convolution() -> None:
    network = load("dense_ts11").network
    assert "pad" not in {layer.op for layer in network.layers}
    assert [x.padding[2] for x in network.mac_layers] == [(1, 1)] * 3


@pytest.mark.parametrize(
    ("name", "data", "weights", "bias"),
    [
        ("quantised_qdq_u8", "uint8", "int8", "int32"),
        ("quantised_qdq_s8", "int8", "int8", "int32"),
        ("quantised_qoperator", "uint8", "int8", "int32"),
    ],
)
def test_quantised_graphs_give_the_tensors_their_formats(name: str, data: str, weights: str, bias: str) -> None:
    report = load(name)
    network = report.network
    for layer in network.mac_layers:
        formats = [network.tensor(t).format.name for t in (*layer.inputs, *layer.outputs)]
        assert formats == [data, weights, bias, data]
    assert not {"quantize", "dequantize", "requantize"} & {layer.op for layer in network.layers}
    assert report.notes[0].startswith("quantised model")


def test_dynamic_quantisation_costs_its_extremes_and_one_change_of_format() -> None:
    network = load("quantised_dynamic").network
    ops = [layer.op for layer in network.layers]
    assert ops.count("reduce_max") == ops.count("reduce_min") == ops.count("requantize") == 5
    assert "mul" not in ops  # scales are absorbed
    assert all(layer.has_bias for layer in network.mac_layers)


def test_float_models_say_that_they_run_as_int8() -> None:
    report = load("unet_ts17")
    assert report.notes == (
        "float model: simulated as int8 data and weights, int32 biases and sums; nothing was calibrated",
    )
    kinds = {t.kind: set() for t in report.network.tensors.values()}
    for tensor in report.network.tensors.values():
        kinds[tensor.kind].add(tensor.format.name)
    assert kinds == {"input": {"int8"}, "activation": {"int8"}, "weight": {"int8", "int32"}}


def test_shares_sum_to_one_and_reports_are_plain_json() -> None:
    report = check_onnx(FOLDER / "encoder_none_ts17.onnx")
    document = json.loads(json.dumps(report.to_json()))
    for what in ("nodes", "macs", "bytes"):
        assert sum(report.share(place, what) for place in PLACEMENTS) == pytest.approx(1)
        assert sum(shares[what] for shares in document["shares"].values()) == pytest.approx(1)
    assert document["supported"] is True and len(document["nodes"]) == len(report.nodes)


def test_import_is_deterministic_and_does_not_load_onnx_here() -> None:
    import subprocess
    import sys

    code = (
        "import sys; from workloads.onnx_import import load_onnx; "
        f"n = load_onnx({str(FOLDER / 'llama_ts17.onnx')!r}).network; print(n.sha256, 'onnx' in sys.modules)"
    )
    lines = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[2])},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(lines) == 1 and lines.pop().endswith("False\n")


def test_activation_functions_read_one_tensor() -> None:
    for name in ("encoder_none_ts17", "mobilenet_hardswish_ts11"):
        for layer in load(name).network.layers:
            assert not isinstance(layer, Activation) or len(layer.inputs) == 1
            assert not isinstance(layer, MacLayer) or layer.macs > 0
