"""BERT base."""

from __future__ import annotations

from workloads.builder import NetworkBuilder
from workloads.errors import InputError
from workloads.formats import Int
from workloads.network import Network
from workloads.zoo.entry import Entry
from workloads.zoo.transformer import encoder_block

SOURCE = (
    "Devlin et al., arXiv:1810.04805; transformers 5.23.0 models/bert/configuration_bert.py defaults (12 layers, 768, "
    "12 heads, 3072, vocabulary 30522, 512 positions, 2 types)"
)


def bert_base(batch: int = 1, sequence: int = 128, pooler: bool = False) -> Network:
    """Return the encoder of BERT base; `pooler` adds the dense layer on the first token."""
    if sequence > 512:
        raise InputError(f"workload 'bert_base': sequence is {sequence}, bound is 512 positions; reduce it")
    b = NetworkBuilder("bert_base", SOURCE)
    tokens = b.input("tokens", (batch, sequence), Int(32))
    types = b.input("token_types", (batch, sequence), Int(32))
    with b.scope("embeddings"):
        x = b.gather(b.constant("word", (30522, 768)), tokens, name="word_lookup")
        y = b.gather(b.constant("token_type", (2, 768)), types, name="type_lookup")
        z = b.take(b.constant("position", (512, 768)), 0, 0, sequence, name="positions")
        x = b.layer_norm(b.add(x, y, z), name="norm")
    for index in range(12):
        with b.scope(f"layer{index}"):
            x = encoder_block(b, x, 12, 3072, norm_first=False)
    if not pooler:
        return b.build(x)
    first = b.reshape(b.take(x, 1, 0, 1), (batch, 768))
    return b.build(x, b.act(b.linear(first, 768, name="pooler"), "tanh"))


ENTRIES = (Entry("bert_base", "BERT base encoder, sequence 128", SOURCE, bert_base),)
