"""The zoo against published and independently computed totals (tests/validation/data/zoo_totals.json).

Test classes: published totals; computed totals; structure that no total can see; parameters and messages of `load`.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from workloads.data_layers import CacheAppend, Gather
from workloads.errors import InputError
from workloads.mac_layers import MacLayer
from workloads.network import Network
from workloads.zoo import list_workloads, load, workload_names

FACTS: dict[str, Any] = json.loads((Path(__file__).parent / "data" / "zoo_totals.json").read_text())
PUBLISHED = {**FACTS["torchvision"]["rows"], **FACTS["torchvision_repository"]["rows"]}
COMPUTED = FACTS["computed"]


def _macs(net: Network, *, ops: tuple[str, ...] = (), scope: str = "", skip: str = "\n") -> int:
    """Return the MACs of the layers with one of `ops`, inside `scope`, whose name does not hold `skip`."""
    return sum(
        layer.macs
        for layer in net.mac_layers
        if (not ops or layer.op in ops) and layer.name.startswith(scope) and skip not in layer.name
    )


class TestPublished:
    @pytest.mark.parametrize("name", [name for name, row in PUBLISHED.items() if row["params"] is not None])
    def test_parameters_are_exact(self, name: str) -> None:
        assert load(name).parameters == PUBLISHED[name]["params"]

    @pytest.mark.parametrize("name", [name for name, row in PUBLISHED.items() if row["gmac"] is not None])
    def test_macs_agree_within_half_a_percent(self, name: str) -> None:
        published = PUBLISHED[name]["gmac"] * 1e9
        assert abs(load(name).macs - published) <= max(0.005 * published, 0.5e6)

    @pytest.mark.parametrize("name", list(FACTS["isscc_2016"]["rows"]))
    def test_convolutions_agree_with_the_chip_papers(self, name: str) -> None:
        row, net = FACTS["isscc_2016"]["rows"][name], load(name)
        convs = [layer for layer in net.mac_layers if layer.op == "conv"]
        assert round(sum(layer.macs for layer in convs) / 1e6, -2 if row["conv_mmac"] > 9999 else 0) == row["conv_mmac"]
        weights = sum(net.tensor(layer.weight_tensor).elements for layer in convs)
        assert round(weights / 1e6, 1) == row["conv_weights_millions"]

    @pytest.mark.parametrize("name", list(FACTS["timm_model_cards"]["rows"]))
    def test_searched_networks_agree_with_their_model_cards(self, name: str) -> None:
        row, net = FACTS["timm_model_cards"]["rows"][name], load(name)
        assert round(net.parameters / 1e6, 1) == row["params_millions"]
        assert abs(net.macs / 1e9 - row["gmac"]) <= 0.005 * row["gmac"]
        made = sum(net.tensor(x.output_tensor).elements for x in net.mac_layers if x.op == "conv")
        assert round(made / 1e6, 1) == row["activations_millions"]

    @pytest.mark.parametrize("size", list(FACTS["amoebanet_d"]["rows"]))
    def test_amoebanet_sizes(self, size: str) -> None:
        layers, filters = (int(part) for part in size.split(","))
        net = load("amoebanet_d", layers=layers, filters=filters)
        assert round(net.parameters / 1e6, 1) == FACTS["amoebanet_d"]["rows"][size]

    def test_lraspp_macs(self) -> None:
        row = PUBLISHED["lraspp_mobilenet_v3_large"]
        assert round(load("lraspp_mobilenet_v3_large").macs / 1e9, 1) == row["gmac_one_decimal"]

    def test_darts_parameters(self) -> None:
        assert round(load("darts").parameters / 1e6, 3) == FACTS["darts"]["params_millions"]


class TestComputed:
    def test_transformer_base(self) -> None:
        assert load("transformer_base").parameters == COMPUTED["transformer_base_params"]

    def test_darts_macs_by_hand(self) -> None:
        """Stem, 12 normal cells of five separable and one dilated operation, two reducing cells, classifier."""
        total = 9 * 3 * 24 * 112**2 + 9 * 24 * 48 * 56**2 + 9 * 48 * 48 * 28**2
        older, newer, newer_size = 48, 48, 28
        for cell in range(14):
            reduce = cell in (4, 9)
            width = 48 * (1 + (cell >= 4)) * (1 + (cell >= 9))
            size = newer_size // 2 if reduce else newer_size
            total += older * width * newer_size**2 + newer * width * newer_size**2
            if not reduce:
                total += (5 * 2 + 1) * (9 * width + width * width) * size**2
            older, newer, newer_size = newer, 4 * width, size
        assert load("darts").macs == total + newer * 1000

    def test_convolutional(self) -> None:
        assert load("mobilenet_v1").macs == COMPUTED["mobilenet_v1_224"]
        assert load("tiny_kws").macs == COMPUTED["ds_cnn_kws"]
        assert load("tiny_ic", filters=16).macs == COMPUTED["resnet8_16filters"]
        assert load("tiny_ad").macs == COMPUTED["ad_autoencoder"]
        assert _macs(load("alexnet_caffe"), ops=("conv",)) == COMPUTED["alexnet_grouped_conv"]
        assert _macs(load("alexnet_caffe", batch=4), ops=("conv",)) == 4 * COMPUTED["alexnet_grouped_conv"]

    @pytest.mark.parametrize("sequence", [128, 384])
    def test_bert(self, sequence: int) -> None:
        assert load("bert_base", sequence=sequence).macs == COMPUTED[f"bert_base_seq{sequence}"]

    def test_gpt2(self) -> None:
        net = load("gpt2_prefill", sequence=1024)
        assert _macs(net, scope="h") == COMPUTED["gpt2_prefill_1024_blocks_only"]
        assert _macs(net, scope="lm_head") == COMPUTED["gpt2_lm_head_per_token"]
        assert net.macs == _macs(net, scope="h") + _macs(net, scope="lm_head")

    def test_vit_blocks(self) -> None:
        assert _macs(load("vit_b_16"), scope="layer") == COMPUTED["vit_b16_blocks_197_tokens"]

    def test_llama_decode(self) -> None:
        net = load("llama_7b_decode")
        assert _macs(net, ops=("gemm",)) == COMPUTED["llama7b_per_decoded_token_no_attention"]
        used = {layer.weight_tensor for layer in net.mac_layers if layer.op == "gemm"}
        used |= {layer.inputs[0] for layer in net.layers if isinstance(layer, Gather)}
        assert sum(net.tensor(name).bytes for name in used) == COMPUTED["llama7b_weight_bytes_int8"]


class TestStructure:
    @pytest.mark.parametrize("model", ["gpt2", "llama_7b"])
    def test_prefill_of_one_token_costs_a_decode_without_cache(self, model: str) -> None:
        options = {"layers": 2} if model == "llama_7b" else {}
        prefill = load(f"{model}_prefill", sequence=1, **options)
        decode = load(f"{model}_decode", kv_length=9, **options)
        per_score = sum(x.macs for x in prefill.mac_layers if x.op == "matmul")
        # ten positions instead of one are attended, nothing else changes
        assert decode.macs == prefill.macs + 9 * per_score
        assert decode.parameters == prefill.parameters

    def test_decode_reads_the_cache_and_moves_only_the_new_rows(self) -> None:
        net = load("llama_7b_decode", kv_length=100, layers=1)
        appended = [layer for layer in net.layers if isinstance(layer, CacheAppend)]
        assert len(appended) == 2
        for layer in appended:
            assert layer.moved_bytes(net.tensors) == 2 * 4096
            reader = net.consumers(layer.outputs[0])[0]
            assert isinstance(reader, MacLayer) and reader.weight_is_activation
            assert net.tensor(reader.weight_tensor).bytes == 101 * 4096

    def test_tied_embedding_is_one_tensor(self) -> None:
        net = load("gpt2_prefill", sequence=8)
        assert {layer.name for layer in net.consumers("wte")} == {"embed", "lm_head"}

    def test_unet_is_the_published_shape(self) -> None:
        net = load("unet")
        assert net.tensor(net.outputs[0]).shape == (1, 2, 388, 388)

    def test_segmentation_keeps_an_eighth_of_the_resolution(self) -> None:
        net = load("fcn_resnet50")
        assert net.tensor("layer4.2.conv3.out").shape == (1, 2048, 65, 65)
        assert [net.tensor(name).shape for name in net.outputs] == [(1, 21, 520, 520)] * 2

    def test_detector_maps(self) -> None:
        net = load("yolov3_tiny")
        assert [net.tensor(name).shape for name in net.outputs] == [(1, 255, 13, 13), (1, 255, 26, 26)]

    def test_cnv_weights_are_single_bits(self) -> None:
        net = load("cnv")
        binary = [net.tensor(x.weight_tensor) for x in net.mac_layers]
        assert {t.format.bits for t in binary} == {1}
        assert sum(t.bytes for t in binary) == sum(-(-t.elements // 8) for t in binary)

    @pytest.mark.parametrize("name", workload_names())
    def test_batch_scales_macs_and_leaves_parameters(self, name: str) -> None:
        options = {"layers": 1} if name.startswith("llama") else {}
        one, three = load(name, **options), load(name, batch=3, **options)
        shared = _macs(one, scope="attention.position") if name == "conformer_block" else 0  # one table for all
        assert three.macs - shared == 3 * (one.macs - shared)
        assert three.parameters == one.parameters


class TestLoad:
    def test_rows_state_summary_source_and_parameters(self) -> None:
        rows = list_workloads()
        assert [row.name for row in rows] == list(workload_names())
        for row in rows:
            assert row.summary and row.source and dict(row.parameters)["batch"] == 1
            assert load(row.name).name == row.name
            assert load(row.name).source == row.source

    def test_messages(self) -> None:
        with pytest.raises(InputError, match=r"^workload 'resnet51': not in the zoo; did you mean 'resnet50'\?$"):
            load("resnet51")
        with pytest.raises(InputError, match=r"^workload 'qqqq': not in the zoo; list the workloads$"):
            load("qqqq")
        with pytest.raises(
            InputError,
            match=r"^workload 'bert_base': parameter 'sequnce' is not known; it takes batch, sequence, pooler; "
            r"did you mean 'sequence'\?$",
        ):
            load("bert_base", sequnce=1)
        with pytest.raises(InputError, match=r"^workload 'resnet50': batch is 0, bound is >= 1; give an integer$"):
            load("resnet50", batch=0)
        with pytest.raises(InputError, match=r"^workload 'bert_base': pooler is 1, expected bool such as False; "):
            load("bert_base", pooler=1)
        with pytest.raises(
            InputError, match=r"^workload 'bert_base': sequence is 513, bound is 512 positions; reduce it$"
        ):
            load("bert_base", sequence=513)
        with pytest.raises(
            InputError, match=r"^layer 'transition1\.pool' \(avg_pool\): window 2 .* does not fit the input of 1; "
        ):
            load("densenet121", image=3)

    def test_where_a_bottleneck_strides_and_when_its_shortcut_runs(self) -> None:
        old, new = load("resnet50", stride_on="1x1"), load("resnet50")
        assert old.parameters == new.parameters and old.macs == 3857973248 < new.macs
        assert old.layer("layer2.0.conv1").dims.OX == 28 and new.layer("layer2.0.conv1").dims.OX == 56  # type: ignore[union-attr]
        for net, last in ((load("resnet50", shortcut="first"), "conv3"), (new, "downsample")):
            names = [layer.name for layer in net.order if layer.name in ("layer1.0.conv3", "layer1.0.downsample")]
            assert names[-1] == f"layer1.0.{last}"
        with pytest.raises(InputError, match=r"^resnet: stride_on is '2x2', bound is 3x3 or 1x1; choose one$"):
            load("resnet50", stride_on="2x2")
        with pytest.raises(InputError, match=r"^workload 'amoebanet_d': layers is 17, filters is 208, bounds are "):
            load("amoebanet_d", layers=17)
        with pytest.raises(InputError, match=r"^workload 'darts': image is 225, bound is a multiple of 32; round it$"):
            load("darts", image=225)

    def test_pooler_completes_the_published_model(self) -> None:
        difference = load("bert_base", pooler=True).parameters - load("bert_base").parameters
        assert difference == 768 * 768 + 768

    def test_resnet50_is_built_in_fifty_milliseconds(self) -> None:
        load("resnet50")
        best = min(_cpu_seconds() for _ in range(5))
        assert best < 0.05


def _cpu_seconds() -> float:
    start = time.process_time()
    load("resnet50")
    return time.process_time() - start
