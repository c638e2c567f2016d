"""Networks: soundness, all mistakes together, description and hash."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from workloads.builder import NetworkBuilder
from workloads.errors import InputError
from workloads.formats import Int
from workloads.network import Network
from workloads.tensor import Tensor
from workloads.vector_layers import Activation, Elementwise
from workloads.zoo import load, workload_names


def _t(name: str, kind: str = "activation", shape: tuple[int, ...] = (2,)) -> Tensor:
    return Tensor(name, shape, Int(8), kind)  # type: ignore[arg-type]


def _relu(name: str, source: str, target: str) -> Activation:
    return Activation(name, "relu", (source,), (target,), ((2,),))


def _network(layers: list[Activation | Elementwise], **tensors: Tensor) -> Network:
    return Network("n", tensors, tuple(layers), ("x",), ("y",), "test")


def test_every_mistake_is_listed() -> None:
    with pytest.raises(InputError) as caught:
        Network(
            "n",
            {"x": _t("x", "input"), "y": _t("y"), "w": _t("w", "weight"), "lost": _t("lost"), "z": _t("other")},
            (_relu("a", "x", "y"), _relu("a", "xx", "y")),
            ("x", "nothing"),
            ("y",),
            "test",
        )
    assert str(caught.value).splitlines() == [
        "network 'n': 8 mistakes",
        "  tensor 'other' is stored under the name 'z'; use one name",
        "  two layers are called 'a'; rename one",
        "  layer 'a' uses tensor 'xx', which does not exist; did you mean 'x'?",
        "  tensor 'y' is written by 'a' and by 'a'; keep one",
        "  weight 'w' is read by no layer; remove it",
        "  activation 'lost' is written by no layer; make it an input or a weight, or add its layer",
        "  activation 'z' is written by no layer; make it an input or a weight, or add its layer",
        "  network input 'nothing' is no tensor",
    ]


def test_a_cycle_is_named() -> None:
    add = Elementwise("sum", "add", ("x", "b"), ("a",), ((2,), (2,)))
    with pytest.raises(InputError, match=r"layers 'sum', 'back', 'out' wait for each other; break the cycle$"):
        _network(
            [add, _relu("back", "a", "b"), _relu("out", "b", "y")],
            x=_t("x", "input"),
            a=_t("a"),
            b=_t("b"),
            y=_t("y"),
        )


def test_shapes_must_agree_with_inference() -> None:
    with pytest.raises(InputError, match=r"tensor 'y' has shape \(3,\), layer 'r' makes \(2,\); correct one$"):
        _network([_relu("r", "x", "y")], x=_t("x", "input"), y=_t("y", shape=(3,)))
    with pytest.raises(InputError, match=r"layer 'r' \(relu\): inputs are 'x' \(3,\), expected shapes \[\(2,\)\]; "):
        _network([_relu("r", "x", "y")], x=_t("x", "input", (3,)), y=_t("y"))


def test_kinds_must_agree() -> None:
    with pytest.raises(InputError, match=r"weight 'y' is written by layer 'r'; make it an activation"):
        _network([_relu("r", "x", "y")], x=_t("x", "input"), y=_t("y", "weight"))
    with pytest.raises(InputError, match=r"tensor 'x' has kind activation and the network inputs are \['x'\]; agree"):
        _network([_relu("r", "x", "y")], x=_t("x"), y=_t("y"))


def test_lookups_name_the_nearest() -> None:
    net = load("lenet")
    with pytest.raises(InputError, match=r"^network 'lenet': no layer 'f7'; did you mean 'f6'\?$"):
        net.layer("f7")
    with pytest.raises(InputError, match=r"^network 'lenet': no tensor 'c1\.weights'; did you mean 'c1\.weight'\?$"):
        net.consumers("c1.weights")


def test_order_is_stable_and_independent_of_the_given_order() -> None:
    net = load("squeezenet")
    assert [x.name for x in net.order] == [x.name for x in net.layers]
    turned = Network(net.name, net.tensors, net.layers[::-1], net.inputs, net.outputs, net.source)
    place = {layer.name: step for step, layer in enumerate(turned.order)}
    for layer in turned.layers:
        for name in layer.inputs:
            producer = turned.producer(name)
            assert producer is None or place[producer.name] < place[layer.name]


def test_storage_follows_aliases() -> None:
    b = NetworkBuilder("n", "test")
    x = b.relu(b.input("x", (1, 4, 2, 2)))
    y = b.reshape(b.flatten(x), (4, 4))
    net = b.build(b.relu(y))
    assert net.storage(y) == x and net.storage("x") == "x"


@pytest.mark.parametrize("name", workload_names())
def test_description_reads_back_equal(name: str) -> None:
    small = {"llama_7b_prefill": {"layers": 2}, "llama_7b_decode": {"layers": 2}}
    net = load(name, **small.get(name, {}))
    again = Network.from_json(json.loads(json.dumps(net.to_json())))
    assert again == net and again.sha256 == net.sha256 and hash(again) == hash(net)


def test_hash_is_the_same_in_every_process() -> None:
    code = "from workloads.zoo import load; print(load('googlenet').sha256)"
    seen = set()
    for seed in ("0", "1"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
        seen.add(run.stdout.strip())
    assert seen == {load("googlenet").sha256}
    assert load("googlenet", batch=2).sha256 not in seen


def test_malformed_descriptions_are_refused() -> None:
    good = load("mlp").to_json()

    def refused(message: str, **changes: object) -> None:
        with pytest.raises(InputError, match=message):
            Network.from_json({**good, **changes})

    refused(r"^network description: schema is 'x', expected 'tilewright\.network/1'; convert it$", schema="x")
    refused(r"^network description: key 'layer' is not known; did you mean 'layers'\?$", layer=[])
    refused(r"^tensors: is int, expected list; correct it$", tensors=3)
    refused(
        r"^layers\[0\]: class 'Actvation' is no layer class; did you mean 'Activation'\?$",
        layers=[{"class": "Actvation"}],
    )
    entry = good["layers"][0]
    refused(r"^layers\[0\]\.dims\.K: is bool, expected int; correct it$", layers=[entry | {"dims": {"K": True}}])
    refused(r"^layers\[0\]\.strides: has 2 entries, bound is 3; correct it$", layers=[entry | {"strides": [1, 1]}])
    refused(r"^layers\[0\]\.weight_layout: is 'cc', bound is one of ", layers=[entry | {"weight_layout": "cc"}])
    with pytest.raises(InputError, match=r"^network description: key 'source' is missing; add it$"):
        Network.from_json({key: value for key, value in good.items() if key != "source"})
    with pytest.raises(InputError, match=r"^layers\[0\]: is str, expected dict; correct it$"):
        Network.from_json({**good, "layers": ["x"]})


def test_importing_the_package_loads_neither_numpy_nor_the_families() -> None:
    code = (
        "import sys, workloads, workloads.zoo; from workloads import load; "
        "print([m for m in sys.modules if m == 'numpy' or m.startswith('workloads.zoo.res')])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
