"""The encoder-decoder Transformer of the first paper, base size, as PyTorch's `nn.Transformer` has it."""

from __future__ import annotations

from workloads.builder import NetworkBuilder
from workloads.network import Network
from workloads.zoo.entry import Entry
from workloads.zoo.transformer import cross_attention, encoder_block, self_attention

SOURCE = (
    "Vaswani et al., arXiv:1706.03762 Table 3 base (6 + 6 layers, 512, 8 heads, 2048, ReLU, normalised behind each "
    "sum); torch.nn.Transformer with its defaults, which adds a normalisation behind each stack"
)


def transformer_base(batch: int = 1, sequence: int = 128, target: int = 128) -> Network:
    """Return encoder and decoder on embedded tokens; the vocabulary's tables and the causal mask are no layers.

    `sequence` positions are encoded, `target` positions decoded at once, as in training or scoring.
    """
    b = NetworkBuilder("transformer_base", SOURCE)
    x = b.input("source", (batch, sequence, 512))
    y = b.input("target", (batch, target, 512))
    for index in range(6):
        with b.scope(f"encoder{index}"):
            x = encoder_block(b, x, 8, 2048, norm_first=False, act="relu")
    x = b.layer_norm(x, name="encoder_norm")
    for index in range(6):
        with b.scope(f"decoder{index}"):
            with b.scope("self"):
                y = b.layer_norm(b.add(y, self_attention(b, y, 8)), name="norm")
            with b.scope("cross"):
                y = b.layer_norm(b.add(y, cross_attention(b, y, x, 8)), name="norm")
            z = b.linear(b.relu(b.linear(y, 2048, name="fc1")), 512, name="fc2")
            y = b.layer_norm(b.add(y, z), name="norm3")
    return b.build(b.layer_norm(y, name="decoder_norm"))


ENTRIES = (
    Entry("transformer_base", "Transformer base, encoder and decoder, 128 positions each", SOURCE, transformer_base),
)
