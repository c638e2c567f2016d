"""Vector and data layers: counts against naive execution, shapes, messages."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.reference.profile import examples
from workloads.builder import NetworkBuilder
from workloads.data_layers import CacheAppend, Concat, Gather, Reshape, Slice, Split, Transpose
from workloads.errors import InputError
from workloads.formats import Int
from workloads.mac_layers import LoopDims, MacLayer
from workloads.norm_layers import Norm
from workloads.tensor import Tensor
from workloads.vector_layers import Elementwise, Pool, Reduce, Resize, Softmax, broadcast_shapes

SHAPES = st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple)


class Counted:
    """A number that counts the operations done with it."""

    done = 0

    def __init__(self, value: float) -> None:
        self.value = value

    def _note(self, value: float) -> Counted:
        Counted.done += 1
        return Counted(value)

    def __add__(self, other: Counted) -> Counted:
        return self._note(self.value + other.value)

    def __sub__(self, other: Counted) -> Counted:
        return self._note(self.value - other.value)

    def __mul__(self, other: Counted) -> Counted:
        return self._note(self.value * other.value)

    def max(self, other: Counted) -> Counted:
        return self._note(max(self.value, other.value))

    def unary(self, value: float) -> Counted:
        return self._note(value)


def _row(n: int) -> list[Counted]:
    Counted.done = 0
    return [Counted(float(i % 5) + 1) for i in range(n)]


def _sum(row: list[Counted]) -> Counted:
    total = row[0]
    for item in row[1:]:
        total = total + item
    return total


@pytest.mark.parametrize("n", [1, 2, 7])
def test_softmax_operations_equal_an_instrumented_run(n: int) -> None:
    row = _row(n)
    top = row[0]
    for item in row[1:]:
        top = top.max(item)
    shifted = [item - top for item in row]
    powers = [item.unary(math.exp(item.value)) for item in shifted]
    total = _sum(powers)
    inverse = total.unary(1 / total.value)
    assert math.isclose(sum((p * inverse).value for p in powers), 1)
    assert Softmax("s", "softmax", ("x",), ("y",), ((3, n),), 1).operations == 3 * Counted.done


@pytest.mark.parametrize("n", [1, 4, 9])
def test_norm_operations_equal_an_instrumented_run(n: int) -> None:
    row, one = _row(n), Counted(1.0)
    mean = _sum(row) * one
    centred = [item - mean for item in row]
    variance = _sum([c * c for c in centred]) * one
    shifted = variance + one
    root = shifted.unary(math.sqrt(shifted.value))
    inverse = root.unary(1 / root.value)
    [c * inverse * one + one for c in centred]
    assert Norm("n", "layer_norm", ("x", "g", "b"), ("y",), ((2, n), (n,), (n,))).operations == 2 * Counted.done
    row = _row(n)
    shifted = _sum([c * c for c in row]) * one + one
    root = shifted.unary(math.sqrt(shifted.value))
    inverse = root.unary(1 / root.value)
    [c * inverse * one for c in row]
    rms = Norm("n", "rms_norm", ("x", "g"), ("y",), ((2, n), (n,)), has_bias=False)
    assert rms.operations == 2 * Counted.done


def test_passes_are_those_of_the_algorithms() -> None:
    assert Softmax("s", "softmax", ("x",), ("y",), ((3, 4),), 1).passes == 3
    layer = Norm("n", "layer_norm", ("x", "g", "b"), ("y",), ((2, 4), (4,), (4,)))
    assert (layer.passes, layer.min_passes) == (3, 2)
    batch = Norm("n", "batch_norm", ("x", "g", "b"), ("y",), ((2, 4, 5), (4,), (4,)))
    assert (batch.passes, batch.operations) == (1, 2 * 40)


@settings(max_examples=examples(150))
@given(st.integers(1, 12), st.integers(1, 4), st.integers(1, 4), st.integers(0, 2), st.integers(0, 2), st.booleans())
def test_pool_windows_equal_enumeration(
    size: int, kernel: int, stride: int, before: int, after: int, ceil_mode: bool
) -> None:
    assume(before < kernel and after < kernel and size + before + after >= kernel)
    starts = []
    start = -before
    while True:
        # floor: the window ends inside the padded input; ceil: it starts inside the input or the padding before it
        inside = start < size if ceil_mode else start + kernel <= size + after
        if not inside:
            break
        starts.append(start)
        if ceil_mode and start + kernel >= size + after:
            break  # this window reached the end
        start += stride
    pool = Pool("p", "max_pool", ("x",), ("y",), ((1, 1, size),), (kernel,), (stride,), ((before, after),), ceil_mode)
    assert pool.out_shapes == ((1, 1, len(starts)),)
    assert pool.read_elements(0, (1, 1, size)) == len(
        {i for s in starts for i in range(s, s + kernel) if 0 <= i < size}
    )
    assert pool.operations == len(starts) * (kernel - 1)


@given(st.lists(SHAPES, min_size=1, max_size=3))
def test_broadcast_equals_numpy(shapes: list[tuple[int, ...]]) -> None:
    try:
        expected: tuple[int, ...] | None = np.broadcast_shapes(*shapes)
    except ValueError:
        expected = None
    assert broadcast_shapes(shapes) == expected


@given(SHAPES, st.data())
def test_reduce_counts_what_is_combined(shape: tuple[int, ...], data: st.DataObject) -> None:
    axes = tuple(data.draw(st.sets(st.integers(0, len(shape) - 1), min_size=1)))
    layer = Reduce("r", "reduce_sum", ("x",), ("y",), (shape,), axes, keepdims=True)
    result = np.zeros(shape).sum(axis=axes, keepdims=True)
    assert layer.out_shapes == (result.shape,)
    assert layer.operations == math.prod(shape) - result.size


def test_resize_counts_the_weighed_inputs() -> None:
    base = ("y",), ((1, 2, 4, 4),), (1, 2, 8, 8)
    assert Resize("r", "resize_nearest", ("x",), *base).operations == 0
    assert Resize("r", "resize_linear", ("x",), *base).operations == 128 * 7
    one_axis = Resize("r", "resize_linear", ("x",), ("y",), ((1, 2, 4, 4),), (1, 2, 8, 4))
    assert one_axis.operations == 64 * 3


# --- data movement: runs are what a copy by contiguous pieces can use ----------------------------------------------


def _is_run(order: np.ndarray, run: int) -> bool:
    """Tell whether the destination is made of source pieces of `run` neighbouring elements."""
    if order.size % run:
        return False
    pieces = order.reshape(-1, run)
    return bool((np.diff(pieces, axis=1) == 1).all())


@given(st.lists(st.integers(2, 4), min_size=1, max_size=4), st.data())
def test_transpose_run_is_the_longest(shape: list[int], data: st.DataObject) -> None:
    perm = tuple(data.draw(st.permutations(range(len(shape)))))
    layer = Transpose("t", "transpose", ("x",), ("y",), (tuple(shape),), perm)
    order = np.arange(math.prod(shape)).reshape(shape).transpose(perm)
    assert layer.out_shapes == (order.shape,)
    runs = [r for r in range(1, order.size + 1) if _is_run(order.ravel(), r)]
    assert layer.run_elements == max(runs)
    assert layer.is_alias == (max(runs) == order.size)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=3), st.data())
def test_slice_shape_and_run(shape: list[int], data: st.DataObject) -> None:
    starts = [data.draw(st.integers(0, n - 1)) for n in shape]
    stops = [data.draw(st.integers(s + 1, n)) for s, n in zip(starts, shape, strict=True)]
    steps = [data.draw(st.integers(1, 2)) for _ in shape]
    layer = Slice("s", "slice", ("x",), ("y",), (tuple(shape),), tuple(starts), tuple(stops), tuple(steps))
    cut = tuple(slice(a, b, c) for a, b, c in zip(starts, stops, steps, strict=True))
    order = np.arange(math.prod(shape)).reshape(shape)[cut]
    assert layer.out_shapes == (order.shape,)
    assert _is_run(order.ravel(), layer.run_elements)


def test_moved_bytes_are_read_plus_written() -> None:
    t = {
        name: Tensor(name, shape, Int(8), "activation")
        for name, shape in {"a": (2, 3), "b": (2, 5), "ab": (2, 8), "row": (6,), "new": (2, 1), "grown": (2, 4)}.items()
    }
    assert Concat("c", "concat", ("a", "b"), ("ab",), ((2, 3), (2, 5)), 1).moved_bytes(t) == 32
    assert Split("s", "split", ("ab",), ("a", "b"), ((2, 8),), 1, (3, 5)).moved_bytes(t) == 32
    assert Reshape("r", "reshape", ("a",), ("row",), ((2, 3),), (6,)).moved_bytes(t) == 0
    assert CacheAppend("k", "cache_append", ("a", "new"), ("grown",), ((2, 3), (2, 1)), 1).moved_bytes(t) == 4


def test_gather_reads_rows_not_the_table() -> None:
    t = {
        "table": Tensor("table", (1000, 64), Int(8), "weight"),
        "ids": Tensor("ids", (1, 4), Int(32), "input"),
        "rows": Tensor("rows", (1, 4, 64), Int(8), "activation"),
    }
    layer = Gather("g", "gather", ("table", "ids"), ("rows",), ((1000, 64), (1, 4)))
    assert layer.compulsory_bytes(t) == 4 * 64 + 4 * 4 + 4 * 64


def test_compulsory_bytes_of_a_strided_convolution_skip_unread_rows() -> None:
    b = NetworkBuilder("n", "test")
    y = b.conv(b.input("x", (1, 8, 14, 14)), 4, 1, stride=2, bias=False, name="c")
    net = b.build(y)
    assert net.layer("c").compulsory_bytes(net.tensors) == 8 * 49 + 32 + 4 * 49


def test_compulsory_bytes_round_bits_up_per_tensor() -> None:
    b = NetworkBuilder("n", "test", activation=Int(3), weight=Int(5))
    net = b.build(b.linear(b.input("x", (1, 3)), 3, bias=False, name="fc"))
    assert net.layer("fc").compulsory_bytes(net.tensors) == 2 + 6 + 2


# --- matrix products ------------------------------------------------------------------------------------------------


@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 4), st.integers(1, 4), st.integers(1, 4), st.booleans())
def test_batched_matmul_equals_numpy_shapes_and_counts(
    batch: int, heads: int, rows: int, inner: int, columns: int, transpose: bool
) -> None:
    b = NetworkBuilder("n", "test")
    right = (batch, heads, columns, inner) if transpose else (batch, heads, inner, columns)
    y = b.matmul(b.input("a", (batch, heads, rows, inner)), b.input("b", right), transpose_b=transpose, name="mm")
    layer = b.build(y).layer("mm")
    assert isinstance(layer, MacLayer) and layer.weight_is_activation
    assert b.shape(y) == (batch, heads, rows, columns)
    count = sum(1 for _ in product(range(batch), range(heads), range(rows), range(inner), range(columns)))
    assert layer.macs == count
    assert (batch * heads * rows, inner, columns) == (layer.dims.G * layer.dims.OX, layer.dims.C, layer.dims.K)


def test_grouped_query_attention_equals_full_attention_in_macs() -> None:
    def macs(key_heads: int) -> int:
        b = NetworkBuilder("n", "test")
        q = b.input("q", (2, 8, 5, 16))
        k, v = (b.input(n, (2, key_heads, 7, 16)) for n in "kv")
        mask = b.input("mask", (1, 1, 5, 7))
        y = b.attention(q, k, v, mask=mask)
        assert b.shape(y) == (2, 5, 128)
        return b.build(y).macs

    assert macs(8) == macs(2) == macs(1) == 2 * 2 * 8 * 5 * 7 * 16


# --- messages -------------------------------------------------------------------------------------------------------


def test_layer_messages() -> None:
    b = NetworkBuilder("n", "test")
    x = b.input("x", (1, 6, 8, 8))
    with pytest.raises(
        InputError, match=r"^layer 'c': 6 input and 8 output channels in 4 groups; use a common divisor$"
    ):
        b.conv(x, 8, 3, groups=4, name="c")
    with pytest.raises(InputError, match=r"^layer 'd': filter \(1, 9, 9\) .* does not fit the input \(1, 8, 8\); "):
        b.conv(x, 8, 9, name="d")
    with pytest.raises(InputError, match=r"^network 'n': no tensor 'y'$"):
        b.relu("y")
    with pytest.raises(InputError, match=r"^layer 'a' \(add\): shapes .* do not broadcast; make each axis equal or 1$"):
        Elementwise("a", "add", ("x", "y"), ("z",), ((2,), (3,)))
    with pytest.raises(InputError, match=r"^layer 'a': op 'plus' is not known to Elementwise; use one of add, "):
        Elementwise("a", "plus", ("x", "y"), ("z",), ((2,), (2,)))
    with pytest.raises(InputError, match=r"^loop dimension C: size is 0, bound is >= 1; give a positive integer$"):
        LoopDims(C=0)
    with pytest.raises(
        InputError, match=r"^tensor 't': axis 1 has size -1, bound is >= 1; give a positive integer size$"
    ):
        Tensor("t", (2, -1), Int(8), "input")
    with pytest.raises(InputError, match=r"^tensor 't': shape .* bound is 281474976710656; reduce the shape$"):
        Tensor("t", (2**40, 2**40), Int(8), "input")


def test_mac_layer_messages() -> None:
    def make(**changes: object) -> MacLayer:
        fields: dict[str, object] = {
            "name": "c",
            "op": "conv",
            "inputs": ("x", "w"),
            "outputs": ("y",),
            "dims": LoopDims(K=4, C=3, OY=6, OX=6, FY=3, FX=3),
            "spatial_rank": 2,
            "input_spatial": (1, 8, 8),
        }
        return MacLayer(**(fields | changes))  # type: ignore[arg-type]

    layer = make()
    with pytest.raises(InputError, match=r"^layer 'c': tile of OY is 7, bound is 1\.\.6; correct it$"):
        layer.footprint_elements("I", {"OY": 7})
    with pytest.raises(InputError, match=r"^layer 'c': role is 'B', bound is I, W or O; correct it$"):
        layer.footprint_elements("B", {})
    with pytest.raises(InputError, match=r"^window: outputs 5\.\.6 asked for, bound is 0\.\.5; reduce the tile$"):
        layer.input_window("OY", 5, 2)
    with pytest.raises(InputError, match=r"^layer 'c' axis X: window: output size is 6, input 9"):
        make(input_spatial=(1, 8, 9))
    with pytest.raises(InputError, match=r"^layer 'c': 2 inputs and 1 outputs, bound is 3 and 1 "):
        make(has_bias=True)
    with pytest.raises(InputError, match=r"^layer 'c': op is 'gemm' with spatial_rank 2; "):
        make(op="gemm")
    with pytest.raises(
        InputError, match=r"^layer 'c': only a transposed convolution has phases; use the layer itself$"
    ):
        layer.phases()
    with pytest.raises(
        InputError, match=r"^layer 'c' \(conv\): inputs are 'x' \(1, 3, 8, 8\), 'w' \(4, 3, 3\), expected "
    ):
        layer.infer_shapes([(1, 3, 8, 8), (4, 3, 3)])
