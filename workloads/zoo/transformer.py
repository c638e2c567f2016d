"""The encoder block that BERT, the vision transformers and the encoder-decoder share."""

from __future__ import annotations

from workloads.builder import NetworkBuilder


def self_attention(b: NetworkBuilder, x: str, heads: int) -> str:
    """Add self-attention with separate query, key and value projections and an output projection, all with bias."""
    return cross_attention(b, x, x, heads)


def cross_attention(b: NetworkBuilder, x: str, memory: str, heads: int) -> str:
    """Add attention whose queries come from `x`, keys and values from `memory`; projections as in self-attention."""
    width = b.shape(x)[2]
    q, k, v = (
        b.heads(b.linear(source, width, name=part), heads, name=f"{part}_heads")
        for part, source in (("query", x), ("key", memory), ("value", memory))
    )
    return b.linear(b.attention(q, k, v, name="attention"), width, name="proj")


def encoder_block(b: NetworkBuilder, x: str, heads: int, hidden: int, *, norm_first: bool, act: str = "gelu") -> str:
    """Add attention and a feed-forward part with function `act`, each with a residual, normalised before or after."""
    width = b.shape(x)[2]

    def attend(y: str) -> str:
        return self_attention(b, y, heads)

    def feed_forward(y: str) -> str:
        return b.linear(b.act(b.linear(y, hidden, name="fc1"), act), width, name="fc2")

    for part, norm in ((attend, "norm1"), (feed_forward, "norm2")):
        x = b.add(x, part(b.layer_norm(x, name=norm) if norm_first else x))
        x = x if norm_first else b.layer_norm(x, name=norm)
    return x
