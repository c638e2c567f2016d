"""One Conformer block (speech): half-step feed-forward, relative attention, convolution, half-step feed-forward."""

from __future__ import annotations

from workloads.builder import NetworkBuilder
from workloads.network import Network
from workloads.zoo.entry import Entry

SOURCE = "Gulati et al., arXiv:2005.08100 Fig. 1-4 and Table 1, size S (144, 4 heads, kernel 32)"


def _feed_forward(b: NetworkBuilder, x: str, name: str) -> str:
    """Add half a step: norm, expansion by 4, SiLU, projection (the half is folded into it), residual."""
    width = b.shape(x)[2]
    with b.scope(name):
        y = b.act(b.linear(b.layer_norm(x, name="norm"), 4 * width, name="fc1"), "silu")
        return b.add(x, b.linear(y, width, name="fc2"))


def _relative_attention(b: NetworkBuilder, x: str, heads: int) -> str:
    """Add attention with relative positions (Dai et al., arXiv:1901.02860): content plus shifted position scores."""
    batch, length, width = b.shape(x)
    head = width // heads
    with b.scope("attention"):
        y = b.layer_norm(x, name="norm")
        q, k, v = (b.heads(b.linear(y, width, name=n), heads, name=f"{n}_heads") for n in ("query", "key", "value"))
        table = b.linear(b.input("positions", (1, 2 * length - 1, width)), width, bias=False, name="position")
        p = b.heads(table, heads, name="position_heads")
        if batch > 1:
            p = b.expand(p, (batch, heads, 2 * length - 1, head), name="position_batch")
        content = b.add(q, b.constant("content_bias", (heads, 1, head)), name="content_query")
        place = b.add(q, b.constant("place_bias", (heads, 1, head)), name="place_query")
        scores = b.matmul(place, p, transpose_b=True, name="place_scores")
        # the shift: one column in front, then rows of the other length, then the first `length` columns
        shifted = b.pad(scores, (0, 0, 0, 1), (0, 0, 0, 0), name="shift.pad")
        shifted = b.reshape(shifted, (batch, heads, 2 * length, length), name="shift.fold")
        shifted = b.take(shifted, 2, 1, 2 * length, name="shift.drop")
        shifted = b.reshape(shifted, (batch, heads, length, 2 * length - 1), name="shift.unfold")
        shifted = b.take(shifted, 3, 0, length, name="shift.cut")
        y = b.attention(content, k, v, mask=shifted, name="mix")
        return b.add(x, b.linear(y, width, name="proj"))


def _convolution(b: NetworkBuilder, x: str, kernel: int) -> str:
    """Add norm, pointwise with gate, depthwise with batch normalisation, SiLU, pointwise, residual."""
    width = b.shape(x)[2]
    with b.scope("conv"):
        y = b.transpose(b.layer_norm(x, name="norm"), (0, 2, 1), name="channels_first")
        value, gate = b.split(b.conv(y, 2 * width, 1, name="pointwise1"), (width, width))
        y = b.mul(value, b.act(gate, "sigmoid"))
        y = b.act(b.conv(y, width, kernel, padding="same", groups=width, bn=True, name="depthwise"), "silu")
        y = b.conv(y, width, 1, name="pointwise2")
        return b.add(x, b.transpose(y, (0, 2, 1), name="channels_last"))


def conformer_block(batch: int = 1, sequence: int = 256, width: int = 144, heads: int = 4, kernel: int = 32) -> Network:
    """Return one block on (batch, sequence, width) features."""
    b = NetworkBuilder("conformer_block", SOURCE)
    x = _feed_forward(b, b.input("features", (batch, sequence, width)), "ff1")
    x = _convolution(b, _relative_attention(b, x, heads), kernel)
    x = _feed_forward(b, x, "ff2")
    return b.build(b.layer_norm(x, name="norm"))


ENTRIES = (Entry("conformer_block", "one Conformer S block, 256 frames", SOURCE, conformer_block),)
