"""Export the small ONNX graphs of this folder from PyTorch and write what they must count to.

Run with the versions of README.md: ``python make_graphs.py OUT_DIR``. Every model is plain torch code of this file, the
exporters are `torch.onnx` (both the TorchScript-based and the dynamo-based one) and `onnxruntime.quantization`.
Weights are random and then removed (see `strip_weights`). `expected.json` holds, per graph, the MACs that torch's own
FLOP counter saw while the model ran and the parameters torch lists: the importer is tested against those, not against
itself.
"""

from __future__ import annotations

import argparse
import json
import logging
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from models import (
    CausalSelfAttention,
    Conv1dNet,
    Conv3dNet,
    DenseTail,
    Encoder,
    LlamaBlock,
    Mlp,
    MobileNet,
    PlainAttention,
    Recurrent,
    ResNet,
    SmallConv,
    UNet,
)
from onnx import TensorProto, helper
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

KEEP_ELEMENTS = 64  # initializers up to this size stay: shapes, axes, scales, zero points, epsilons
STRIPPED = "weights-stripped.bin"  # the file that the references name; it does not exist on purpose


@dataclass(frozen=True)
class Case:
    """One exported graph: model, example input, exporter and opset."""

    name: str
    model: nn.Module
    example: Tensor
    opset: int
    dynamo: bool
    dynamic: bool = False
    keep_batchnorm: bool = False
    dims: dict[str, int] = field(default_factory=dict)


def cases() -> Iterator[Case]:
    """Yield every export of the corpus."""
    image = torch.randn(1, 3, 32, 32)
    small = lambda: ResNet((1, 1), 8, 10)  # noqa: E731 - fresh weights per case
    full = torch.randn(1, 3, 224, 224)
    yield Case("resnet50_ts13_bn", ResNet((3, 4, 6, 3), 64, 1000), full, 13, False, keep_batchnorm=True)
    yield Case("resnet50_ts17", ResNet((3, 4, 6, 3), 64, 1000), full, 17, False)
    yield Case("resnet50_dynamo18", ResNet((3, 4, 6, 3), 64, 1000), full, 18, True)
    for opset in (11, 13, 17, 18, 20):
        yield Case(f"resnet_tiny_ts{opset}", small(), image, opset, False)
    yield Case("resnet_tiny_ts13_bn", small(), image, 13, False, keep_batchnorm=True)
    yield Case("resnet_tiny_dynamo20", small(), image, 20, True)
    yield Case("resnet_tiny_ts17_batch", small(), image, 17, False, dynamic=True, dims={"batch": 4})
    yield Case("resnet_tiny_dynamo18_batch", small(), torch.randn(2, 3, 32, 32), 18, True, True, dims={"batch": 4})
    for opset, dynamo in ((11, False), (17, False), (18, True)):
        tag = f"{'dynamo' if dynamo else 'ts'}{opset}"
        yield Case(f"mobilenet_relu6_{tag}", MobileNet(nn.ReLU6, False), image, opset, dynamo)
        yield Case(f"mobilenet_hardswish_{tag}", MobileNet(nn.Hardswish, True), image, opset, dynamo)
    tokens = torch.randint(0, 128, (1, 16))
    for opset, gelu in ((14, "tanh"), (17, "none"), (20, "tanh")):
        yield Case(f"encoder_{gelu}_ts{opset}", Encoder(32, 4, 2, gelu), tokens, opset, False)
    yield Case("encoder_none_dynamo18", Encoder(32, 4, 2, "none"), tokens, 18, True)
    yield Case("encoder_tanh_dynamo20", Encoder(32, 4, 2, "tanh"), tokens, 20, True)
    yield Case("encoder_none_ts17_batch", Encoder(32, 4, 1, "none"), tokens, 17, False, True, dims={"batch": 3})
    sequence = torch.randn(1, 16, 32)
    yield Case("sdpa_ts14", CausalSelfAttention(32, 4), sequence, 14, False)
    yield Case("sdpa_ts17_batch", CausalSelfAttention(32, 4), sequence, 17, False, True, dims={"batch": 2})
    yield Case("sdpa_dynamo18", CausalSelfAttention(32, 4), sequence, 18, True)
    yield Case("sdpa_dynamo23", CausalSelfAttention(32, 4), sequence, 23, True)
    for opset, dynamo in ((14, False), (17, False), (18, True), (23, True)):
        yield Case(
            f"llama_{'dynamo' if dynamo else 'ts'}{opset}",
            LlamaBlock(64, 4, 2, 96, 16),
            torch.randn(1, 16, 64),
            opset,
            dynamo,
        )
    for opset, dynamo in ((11, False), (17, False), (18, True)):
        tag = f"{'dynamo' if dynamo else 'ts'}{opset}"
        yield Case(f"unet_{tag}", UNet(), image, opset, dynamo)
        yield Case(f"conv1d_{tag}", Conv1dNet(), torch.randn(1, 2, 128), opset, dynamo)
        yield Case(f"conv3d_{tag}", Conv3dNet(), torch.randn(1, 3, 8, 32, 32), opset, dynamo)
        yield Case(f"attention_{tag}", PlainAttention(32, 4), sequence, opset, dynamo)
        yield Case(f"dense_{tag}", DenseTail(), image, opset, dynamo)
        yield Case(f"mlp_{tag}", Mlp(), torch.randn(2, 8, 32), opset, dynamo)
    yield Case("dense_ts13_bn", DenseTail(), image, 13, False, keep_batchnorm=True)
    yield Case("lstm_ts17", Recurrent(), torch.randn(1, 5, 16), 17, False)


def count_macs(model: nn.Module, example: Tensor) -> int:
    """Return the multiply-accumulates of one forward pass as torch's FLOP counter sees them (two FLOPs each).

    Attention runs on torch's plain-arithmetic path: the counter knows no formula for the fused CPU kernels.
    """
    torch.backends.mha.set_fastpath_enabled(False)
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        model(example)
    return int(counter.get_total_flops()) // 2


def randomise(model: nn.Module) -> None:
    """Give every parameter and statistic its own values: the exporter merges tensors that are equal."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.1)
        for name, buffer in model.named_buffers():
            if name.endswith(("running_mean", "running_var")):
                buffer.copy_(torch.rand_like(buffer) + 0.5)


def export(case: Case, path: Path) -> None:
    """Export one case to `path`."""
    options: dict[str, Any] = {"opset_version": case.opset, "input_names": ["x"], "output_names": ["y"]}
    if case.dynamo:
        if case.dynamic:
            options["dynamic_shapes"] = ({0: torch.export.Dim("batch", min=1, max=64)},)
        torch.onnx.export(
            case.model, (case.example,), str(path), dynamo=True, external_data=False, verbose=False, **options
        )
        return
    if case.dynamic:
        options["dynamic_axes"] = {"x": {0: "batch"}, "y": {0: "batch"}}
    if case.keep_batchnorm:
        options["training"] = torch.onnx.TrainingMode.PRESERVE
        options["do_constant_folding"] = False
    torch.onnx.export(case.model, (case.example,), str(path), dynamo=False, **options)


def quantise(path: Path, out: Path, style: str) -> None:
    """Quantise the float model at `path` with random calibration data (`style` is QDQ, QOperator or dynamic)."""
    from onnxruntime import quantization as q
    from onnxruntime.quantization.shape_inference import quant_pre_process

    prepared = out.with_suffix(".prep.onnx")
    quant_pre_process(str(path), str(prepared))
    if style.startswith("dynamic"):
        q.quantize_dynamic(str(prepared), str(out), weight_type=q.QuantType.QInt8)
        return
    generator = np.random.default_rng(0)
    batches = iter([{"x": generator.standard_normal((1, 3, 8, 8)).astype(np.float32)} for _ in range(4)])

    class Reader(q.CalibrationDataReader):
        def get_next(self) -> dict[str, Any] | None:
            return next(batches, None)

    q.quantize_static(
        str(prepared),
        str(out),
        Reader(),
        quant_format=q.QuantFormat.QOperator if style == "qoperator" else q.QuantFormat.QDQ,
        activation_type=q.QuantType.QUInt8 if style != "qdq_s8" else q.QuantType.QInt8,
        weight_type=q.QuantType.QInt8,
        per_channel=style == "qdq_s8",
    )


def strip_tensor(tensor: TensorProto) -> None:
    """Replace the data of a large tensor by a reference to a file that does not exist."""
    if int(np.prod(tensor.dims, dtype=np.int64)) <= KEEP_ELEMENTS:
        return
    for data in ("raw_data", "float_data", "int32_data", "int64_data", "double_data", "uint64_data", "external_data"):
        tensor.ClearField(data)
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=STRIPPED)


def strip_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Drop weights, traces and metadata; keep the graph, names and every small constant."""
    model.doc_string = ""
    del model.metadata_props[:]
    graph = model.graph
    graph.doc_string = ""
    del graph.metadata_props[:]
    for value in (*graph.input, *graph.output, *graph.value_info):
        value.doc_string = ""
        del value.metadata_props[:]
    for tensor in graph.initializer:
        tensor.doc_string = ""
        del tensor.metadata_props[:]
        strip_tensor(tensor)
    for node in graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.TENSOR:
                strip_tensor(attribute.t)
    for function in model.functions:
        function.doc_string = ""
        del function.metadata_props[:]
    return model


def norm_channels(model: nn.Module) -> int:
    """Return the channels of all batch norms: folding turns scale and bias into one bias per channel."""
    return sum(m.num_features for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm))


def at_batch(case: Case) -> Tensor:
    """Return the example resized to the batch the expectation is stated for."""
    if not case.dims:
        return case.example
    return case.example[:1].repeat(case.dims["batch"], *([1] * (case.example.dim() - 1)))


def integer_matmul() -> onnx.ModelProto:
    """Build the one graph no exporter here produces: ConvInteger and MatMulInteger by hand."""
    nodes = [
        helper.make_node("ConvInteger", ["x", "w"], ["c"], "conv", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        helper.make_node("MatMulInteger", ["a", "b"], ["m"], "matmul"),
    ]
    inputs = [
        helper.make_tensor_value_info("x", TensorProto.UINT8, [1, 3, 8, 8]),
        helper.make_tensor_value_info("a", TensorProto.UINT8, [3, 7]),
    ]
    outputs = [
        helper.make_tensor_value_info("c", TensorProto.INT32, [1, 24, 8, 8]),
        helper.make_tensor_value_info("m", TensorProto.INT32, [3, 5]),
    ]
    weights = [
        helper.make_tensor("w", TensorProto.INT8, [24, 3, 3, 3], bytes(24 * 27), raw=True),
        helper.make_tensor("b", TensorProto.INT8, [7, 5], bytes(35), raw=True),
    ]
    graph = helper.make_graph(nodes, "integer_ops", inputs, outputs, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])


def main() -> None:
    """Write every graph and `expected.json` into the folder named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", default="", help="export only the cases whose name contains this")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    expected: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for case in cases():
            if arguments.only not in case.name:
                continue
            torch.manual_seed(0)
            case.model.eval()
            randomise(case.model)
            raw = Path(folder) / f"{case.name}.onnx"
            export(case, raw)
            model = strip_weights(onnx.load(str(raw)))
            onnx.save(model, str(arguments.out / raw.name))
            expected[case.name] = {
                "dims": case.dims,
                "macs": count_macs(case.model, at_batch(case)),
                "parameters": sum(p.numel() for p in case.model.parameters()),
                "buffers": sum(b.numel() for n, b in case.model.named_buffers() if "num_batches" not in n),
                "norm_channels": norm_channels(case.model),
                "opset": next(o.version for o in model.opset_import if o.domain == ""),
            }
        torch.manual_seed(0)
        source = SmallConv().eval()
        randomise(source)
        float_path = Path(folder) / "float.onnx"
        torch.onnx.export(
            source, (torch.randn(1, 3, 8, 8),), str(float_path), dynamo=False, opset_version=17, input_names=["x"]
        )
        for style in ("qdq_u8", "qdq_s8", "qoperator", "dynamic"):
            if arguments.only not in f"quantised_{style}":
                continue
            path = Path(folder) / f"quantised_{style}.onnx"
            quantise(float_path, path, style)
            onnx.save(strip_weights(onnx.load(str(path))), str(arguments.out / path.name))
            expected[path.stem] = {
                "dims": {},
                "macs": count_macs(source, torch.randn(1, 3, 8, 8)),
                "parameters": sum(p.numel() for p in source.parameters()),
                "buffers": 0,
                "norm_channels": 0,
                "opset": 17,
            }
    onnx.save(strip_weights(integer_matmul()), str(arguments.out / "integer_ops.onnx"))
    expected["integer_ops"] = {
        "dims": {},
        "macs": 24 * 64 * 27 + 105,
        "parameters": 24 * 27 + 35,
        "buffers": 0,
        "norm_channels": 0,
        "opset": 13,
    }
    if not arguments.only:
        text = json.dumps(dict(sorted(expected.items())), indent=1) + "\n"
        (arguments.out / "expected.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
