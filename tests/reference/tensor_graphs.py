"""Tensor graphs for tests: the two toys, ResNet-50 in four variants, and random ones."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from mappers.placement import GraphTensor, Operator, TensorGraph, network_graph
from workloads.builder import NetworkBuilder


def graph_of(sizes: Mapping[str, int], ops: Sequence[tuple[str, str, str]], name: str = "graph") -> TensorGraph:
    """Return the graph of (name, inputs, outputs) rows, names separated by spaces."""
    return TensorGraph(
        tuple(GraphTensor(tensor, size) for tensor, size in sizes.items()),
        tuple(Operator(op, tuple(inputs.split()), tuple(outputs.split())) for op, inputs, outputs in ops),
        name,
    )


def toy_1() -> TensorGraph:
    """Return a chain whose first tensor is read again at its end."""
    return graph_of(
        {"A": 60, "B": 60, "C": 60, "D": 10}, [("a", "", "A"), ("b", "A", "B"), ("c", "B", "C"), ("d", "A C", "D")]
    )


def toy_2() -> TensorGraph:
    """Return two branches, listed in the worse order."""
    return graph_of(
        {"X": 20, "P1": 80, "Q1": 80, "P2": 10, "Q2": 10, "Z": 10},
        [
            ("x", "", "X"),
            ("p1", "X", "P1"),
            ("q1", "X", "Q1"),
            ("p2", "P1", "P2"),
            ("q2", "Q1", "Q2"),
            ("z", "P2 Q2", "Z"),
        ],
    )


def resnet50(*, stride_on_3x3: bool, shortcut_first: bool, parameters: bool = True) -> TensorGraph:
    """Return ResNet-50, INT8, batch 1: 53 convolutions, 16 additions, two pools, one matrix product."""
    b = NetworkBuilder("resnet50", "He et al., arXiv:1512.03385")
    x = b.input("image", (1, 3, 224, 224))
    x = b.relu(b.conv(x, 64, 7, stride=2, padding=3, bn=True))
    x = b.max_pool(x, 3, 2, 1)
    for stage, count in enumerate((3, 4, 6, 3)):
        planes = 64 << stage
        for index in range(count):
            stride = 2 if stage and not index else 1
            first, second = (1, stride) if stride_on_3x3 else (stride, 1)
            short = b.conv(x, 4 * planes, 1, stride=stride, bn=True) if not index and shortcut_first else x
            y = b.relu(b.conv(x, planes, 1, stride=first, bn=True))
            y = b.relu(b.conv(y, planes, 3, stride=second, padding=1, bn=True))
            y = b.conv(y, 4 * planes, 1, bn=True)
            if not index and not shortcut_first:
                short = b.conv(x, 4 * planes, 1, stride=stride, bn=True)
            x = b.relu(b.add(y, short))
    x = b.flatten(b.global_avg_pool(x))
    return network_graph(b.build(b.linear(x, 1000)), parameters=parameters)


def random_graph(seed: int, operators: int, largest: int, sources: int = 2) -> TensorGraph:
    """Return a random graph; every tensor is used, sizes are 1..`largest` bytes."""
    draw = random.Random(seed)
    sizes = {f"s{i}": draw.randint(1, largest) for i in range(draw.randint(0, sources))}
    ops: list[tuple[str, str, str]] = []
    known, count = list(sizes), 0
    for i in range(operators):
        inputs = draw.sample(known, min(len(known), draw.randint(0 if i == 0 else 1, 3)))
        outputs = [f"t{count + j}" for j in range(draw.choice((1, 1, 1, 2)))]
        count += len(outputs)
        sizes.update((name, draw.randint(1, largest)) for name in outputs)
        known += outputs
        ops.append((f"o{i}", " ".join(inputs), " ".join(outputs)))
    used = {name for _, inputs, outputs in ops for name in f"{inputs} {outputs}".split()}
    return graph_of({name: size for name, size in sizes.items() if name in used}, ops, f"random {seed}")
