"""Liveness and order of random graphs against step-by-step questions."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.reference.naive_workloads import naive_liveness
from workloads.builder import NetworkBuilder
from workloads.network import Network


@st.composite
def networks(draw: st.DrawFn) -> Network:
    b = NetworkBuilder("random", "test")
    names = [b.input(f"in{i}", (2,)) for i in range(draw(st.integers(1, 3)))]
    names.append(b.constant("w", (2,)))
    made = []
    for _ in range(draw(st.integers(1, 8))):
        chosen = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3))
        made.append(b.add(*chosen) if len(chosen) > 1 else b.relu(chosen[0]))
        names.append(made[-1])
    made[0] = b.add(made[0], "w")  # every weight has a reader
    outputs = draw(st.lists(st.sampled_from(made), min_size=1, max_size=3, unique=True))
    net = b.build(*outputs)
    return Network(net.name, net.tensors, tuple(draw(st.permutations(net.layers))), net.inputs, net.outputs, net.source)


@given(networks())
def test_liveness_equals_asking_at_every_step(net: Network) -> None:
    assert net.liveness() == naive_liveness(net)


@given(networks())
def test_order_places_producers_first_and_prefers_the_given_order(net: Network) -> None:
    done: set[str] = set()
    left = list(net.layers)
    for layer in net.order:
        ready = [x for x in left if all(net.producer(n) is None or n in done for n in x.inputs)]
        assert layer is ready[0]
        left.remove(layer)
        done.update(layer.outputs)
    assert not left


@given(networks())
def test_consumers_are_the_readers(net: Network) -> None:
    for name in net.tensors:
        assert [x.name for x in net.consumers(name)] == [x.name for x in net.order if name in x.inputs]
