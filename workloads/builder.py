"""A builder of networks: shape inference while you write, a checked `Network` at the end.

Methods take and return tensor names. The layer called ``conv1`` makes the tensors ``conv1.weight``, ``conv1.bias``,
``conv1.scale`` and ``conv1.out``; `scope` prefixes names. Formats default to int8 data and weights and int32 biases.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from workloads.builder_mac import MacBuilder, Pads, Sizes, spatial_pads, spatial_same, spatial_triple
from workloads.data_layers import (
    CacheAppend,
    Concat,
    DataLayer,
    Expand,
    Gather,
    Pad,
    Reshape,
    Slice,
    Split,
    Transpose,
)
from workloads.errors import InputError
from workloads.formats import Format
from workloads.layer import ShapedLayer
from workloads.norm_layers import Lrn, Norm, Rotary
from workloads.vector_layers import Activation, Elementwise, Pool, Quantize, Reduce, Resize, Softmax


class NetworkBuilder(MacBuilder):
    """The whole vocabulary; see the module docstring.

    Examples
    --------
    >>> b = NetworkBuilder("tiny", "example")
    >>> x = b.relu(b.conv(b.input("image", (1, 3, 8, 8)), 4, 3, padding=1, bn=True, name="conv1"))
    >>> net = b.build(b.linear(b.flatten(b.global_avg_pool(x)), 10, name="fc"))
    >>> net.macs, net.parameters, [layer.name for layer in net.layers]
    (6952, 166, ['conv1', 'relu1', 'global_avg_pool1', 'flatten1', 'fc'])
    """

    def _make(self, cls: type[ShapedLayer], op: str, inputs: Sequence[str], name: str | None, **fields: object) -> str:
        """Add a one-output layer of `cls`; data movement keeps the format of its (last) input."""
        label = self.full_name(name, op)
        shapes = tuple(self.shape(x) for x in inputs)
        layer = cls(label, op, tuple(inputs), (f"{label}.out",), shapes, **fields)
        kept = issubclass(cls, DataLayer) or op == "max_pool"
        source = inputs[0] if op == "gather" else inputs[-1]
        return self.add_layer(layer, [self.format(source)] if kept else None)[0]

    # --- pooling ----------------------------------------------------------------------------------------------------

    def _pool(
        self, op: str, x: str, kernel: Sizes, stride: Sizes | None, padding: Pads, ceil: bool, name: str | None
    ) -> str:
        rank = len(self.shape(x)) - 2
        taps = spatial_triple(kernel, rank, 1)
        steps = spatial_triple(kernel if stride is None else stride, rank, 1)
        size = spatial_triple((1,) * (3 - rank) + self.shape(x)[2:], 3, 1)
        pads = spatial_same(size, taps, steps, (1, 1, 1)) if padding == "same" else spatial_pads(padding, rank)
        cut = 3 - rank
        return self._make(
            Pool, op, [x], name, kernel=taps[cut:], strides=steps[cut:], padding=pads[cut:], ceil_mode=ceil
        )

    def max_pool(
        self,
        x: str,
        kernel: Sizes,
        stride: Sizes | None = None,
        padding: Pads = 0,
        *,
        ceil_mode: bool = False,
        name: str | None = None,
    ) -> str:
        """Add a maximum pooling; the stride defaults to the kernel."""
        return self._pool("max_pool", x, kernel, stride, padding, ceil_mode, name)

    def avg_pool(
        self,
        x: str,
        kernel: Sizes,
        stride: Sizes | None = None,
        padding: Pads = 0,
        *,
        ceil_mode: bool = False,
        name: str | None = None,
    ) -> str:
        """Add an average pooling; the stride defaults to the kernel."""
        return self._pool("avg_pool", x, kernel, stride, padding, ceil_mode, name)

    def global_avg_pool(self, x: str, *, name: str | None = None) -> str:
        """Add the average over all spatial axes, kept as axes of size one."""
        name = name or self.local_name("global_avg_pool")
        return self._pool("avg_pool", x, self.shape(x)[2:], None, 0, False, name)

    # --- element-wise -----------------------------------------------------------------------------------------------

    def act(self, x: str, op: str, *, name: str | None = None) -> str:
        """Add an activation function, one of `ACTIVATION_OPERATIONS`."""
        return self._make(Activation, op, [x], name)

    def relu(self, x: str, *, name: str | None = None) -> str:
        """Add a ReLU."""
        return self.act(x, "relu", name=name)

    def elementwise(self, op: str, *xs: str, name: str | None = None) -> str:
        """Add an element-wise operation with broadcasting."""
        return self._make(Elementwise, op, xs, name)

    def add(self, *xs: str, name: str | None = None) -> str:
        """Add a sum."""
        return self.elementwise("add", *xs, name=name)

    def mul(self, *xs: str, name: str | None = None) -> str:
        """Add a product."""
        return self.elementwise("mul", *xs, name=name)

    def resize(self, x: str, spatial: Sequence[int], mode: str = "nearest", *, name: str | None = None) -> str:
        """Add an interpolation to the spatial sizes given; mode ``nearest``, ``linear`` or ``cubic``."""
        return self._make(Resize, f"resize_{mode}", [x], name, out_shape=(*self.shape(x)[:2], *spatial))

    # --- normalisation, reduction -----------------------------------------------------------------------------------

    def norm(
        self,
        x: str,
        op: str = "layer_norm",
        *,
        axis: int = -1,
        groups: int = 1,
        scale: bool = True,
        bias: bool = True,
        name: str | None = None,
    ) -> str:
        """Add a normalisation with its own scale and bias; `axis` for layer and RMS norms, `groups` for group norm."""
        label = self.full_name(name, op)
        shape = self.shape(x)
        axis = axis % len(shape) if op in ("layer_norm", "rms_norm") else 1
        affine = shape[axis:] if op in ("layer_norm", "rms_norm") else (shape[1],)
        inputs = [x]
        for wanted, part in ((scale, "scale"), (bias, "bias")):
            if wanted:
                inputs.append(self.tensor(f"{label}.{part}", affine, self.bias, "weight"))
        shapes = tuple(self.shape(i) for i in inputs)
        layer = Norm(label, op, tuple(inputs), (f"{label}.out",), shapes, axis, groups, scale, bias)
        return self.add_layer(layer)[0]

    def layer_norm(self, x: str, *, name: str | None = None) -> str:
        """Add a layer normalisation of the last axis."""
        return self.norm(x, "layer_norm", name=name)

    def rms_norm(self, x: str, *, name: str | None = None) -> str:
        """Add an RMS normalisation of the last axis, with a scale and no bias."""
        return self.norm(x, "rms_norm", bias=False, name=name)

    def batch_norm(self, x: str, *, name: str | None = None) -> str:
        """Add a batch normalisation that cannot be folded into a convolution before it."""
        return self.norm(x, "batch_norm", name=name)

    def lrn(self, x: str, size: int, *, name: str | None = None) -> str:
        """Add a local response normalisation."""
        return self._make(Lrn, "lrn", [x], name, size=size)

    def rotary(self, x: str, cosines: str, sines: str, *, name: str | None = None) -> str:
        """Add a rotary position embedding."""
        return self._make(Rotary, "rotary", [x, cosines, sines], name)

    def softmax(self, x: str, *, axis: int = -1, name: str | None = None) -> str:
        """Add a softmax."""
        return self._make(Softmax, "softmax", [x], name, axis=axis % len(self.shape(x)))

    def reduce(self, x: str, op: str, axes: Sequence[int], *, keepdims: bool = False, name: str | None = None) -> str:
        """Add a reduction, `op` such as ``reduce_mean``."""
        rank = len(self.shape(x))
        return self._make(Reduce, op, [x], name, axes=tuple(a % rank for a in axes), keepdims=keepdims)

    def quantize(self, x: str, fmt: Format, op: str = "requantize", *, name: str | None = None) -> str:
        """Add a change of format, `op` one of `Quantize.OPS`."""
        label = self.full_name(name, op)
        return self.add_layer(Quantize(label, op, (x,), (f"{label}.out",), (self.shape(x),)), [fmt])[0]

    # --- data movement ----------------------------------------------------------------------------------------------

    def concat(self, *xs: str, axis: int = 1, name: str | None = None) -> str:
        """Add a concatenation."""
        return self._make(Concat, "concat", xs, name, axis=axis % len(self.shape(xs[0])))

    def split(self, x: str, sizes: Sequence[int], *, axis: int = 1, name: str | None = None) -> tuple[str, ...]:
        """Add a split into parts of `sizes`."""
        label = self.full_name(name, "split")
        outputs = tuple(f"{label}.out{i}" for i in range(len(sizes)))
        shape = self.shape(x)
        layer = Split(label, "split", (x,), outputs, (shape,), axis % len(shape), tuple(sizes))
        return self.add_layer(layer, [self.format(x)] * len(sizes))

    def take(self, x: str, axis: int, start: int, stop: int, step: int = 1, *, name: str | None = None) -> str:
        """Add a slice of one axis."""
        shape = self.shape(x)
        axis %= len(shape)
        starts = tuple(start if i == axis else 0 for i in range(len(shape)))
        stops = tuple(stop if i == axis else size for i, size in enumerate(shape))
        steps = tuple(step if i == axis else 1 for i in range(len(shape)))
        return self._make(Slice, "slice", [x], name, starts=starts, stops=stops, steps=steps)

    def reshape(self, x: str, shape: Sequence[int], *, name: str | None = None) -> str:
        """Add a reshape; one size may be -1."""
        known = prod(size for size in shape if size != -1)
        full = tuple(prod(self.shape(x)) // known if size == -1 else size for size in shape)
        return self._make(Reshape, "reshape", [x], name, out_shape=full)

    def flatten(self, x: str, *, name: str | None = None) -> str:
        """Add a reshape to ``(N, everything else)``."""
        shape = self.shape(x)
        return self._make(Reshape, "flatten", [x], name, out_shape=(shape[0], prod(shape[1:])))

    def transpose(self, x: str, perm: Sequence[int], *, name: str | None = None) -> str:
        """Add a transposition."""
        return self._make(Transpose, "transpose", [x], name, perm=tuple(perm))

    def pad(self, x: str, before: Sequence[int], after: Sequence[int], *, name: str | None = None) -> str:
        """Add a border."""
        return self._make(Pad, "pad", [x], name, before=tuple(before), after=tuple(after))

    def gather(self, table: str, indices: str, *, name: str | None = None) -> str:
        """Add an embedding lookup: rows of `table`, shape ``(rows, features)``."""
        return self._make(Gather, "gather", [table, indices], name)

    def expand(self, x: str, shape: Sequence[int], *, name: str | None = None) -> str:
        """Add a broadcast."""
        return self._make(Expand, "expand", [x], name, out_shape=tuple(shape))

    def cache_append(self, cache: str, new: str, *, axis: int, name: str | None = None) -> str:
        """Add new rows to a cache in place."""
        return self._make(CacheAppend, "cache_append", [cache, new], name, axis=axis)

    # --- attention --------------------------------------------------------------------------------------------------

    def heads(self, x: str, heads: int, *, name: str | None = None) -> str:
        """Add the view of ``(batch, sequence, features)`` as ``(batch, heads, sequence, features / heads)``."""
        batch, length, features = self.shape(x)
        if features % heads:
            raise InputError(f"network '{self.name}': {features} features in {heads} heads; use a divisor")
        name = name or self.local_name("heads")
        split = self.reshape(x, (batch, length, heads, features // heads), name=f"{name}.split")
        return self.transpose(split, (0, 2, 1, 3), name=f"{name}.swap")

    def attention(self, q: str, k: str, v: str, *, mask: str | None = None, name: str | None = None) -> str:
        """Add scaled dot-product attention of per-head tensors and return ``(batch, sequence, features)``.

        Parameters
        ----------
        q : str
            Shape (batch, heads, sequence, d).
        k, v : str
            Shape (batch, key heads, length, d); the heads are a multiple of the key heads (grouped queries: the
            queries that share a key head become rows of one product).
        mask : str, optional
            Added to the scores, broadcast to (batch, heads, sequence, length).

        Notes
        -----
        The 1/sqrt(d) scale is folded into the query projection. The whole score matrix is computed, masked or not.
        """
        name = name or self.local_name("attention")
        batch, heads, rows, width = self.shape(q)
        key_heads, length = self.shape(k)[1:3]
        if heads % key_heads:
            raise InputError(f"network '{self.name}': {heads} query heads on {key_heads} key heads; use a divisor")
        grouped = heads != key_heads
        with self.scope(name):
            if grouped:
                q = self.reshape(q, (batch, key_heads, heads // key_heads * rows, width), name="group")
            scores = self.matmul(q, k, transpose_b=True, name="scores")
            if mask is not None:
                if grouped:
                    scores = self.reshape(scores, (batch, heads, rows, length), name="ungroup_scores")
                scores = self.add(scores, mask, name="mask")
                if grouped:
                    scores = self.reshape(
                        scores, (batch, key_heads, heads // key_heads * rows, length), name="group_scores"
                    )
            mixed = self.matmul(self.softmax(scores, name="softmax"), v, name="context")
            if grouped:
                mixed = self.reshape(mixed, (batch, heads, rows, width), name="ungroup")
            swapped = self.transpose(mixed, (0, 2, 1, 3), name="swap")
            return self.reshape(swapped, (batch, rows, heads * width), name="merge")
