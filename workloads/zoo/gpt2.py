"""GPT-2 (124 M): prefill of a prompt and decoding of one token against a key/value cache.

The whole score matrix is computed; the causal mask acts inside the softmax and is no layer. The result is for the last
position only, by a matrix product with the token embedding (tied: counted once as parameters).
"""

from __future__ import annotations

from workloads.builder import NetworkBuilder
from workloads.errors import InputError
from workloads.formats import Int
from workloads.network import Network
from workloads.zoo.entry import Entry

SOURCE = (
    "Radford et al., 2019; transformers 5.23.0 models/gpt2/configuration_gpt2.py defaults (12 layers, 768, 12 heads, "
    "4 x 768, vocabulary 50257, 1024 positions)"
)
_LAYERS, _WIDTH, _HEADS, _VOCABULARY, _POSITIONS = 12, 768, 12, 50257, 1024


def _gpt2(name: str, batch: int, rows: int, cached: int) -> Network:
    """Return the network that runs `rows` new tokens behind `cached` old ones."""
    if rows + cached > _POSITIONS:
        raise InputError(
            f"workload '{name}': {rows + cached} positions asked for, bound is {_POSITIONS}; "
            "reduce the sequence or kv_length"
        )
    b = NetworkBuilder(name, SOURCE)
    tokens = b.input("tokens", (batch, rows), Int(32))
    table = b.constant("wte", (_VOCABULARY, _WIDTH))
    positions = b.take(b.constant("wpe", (_POSITIONS, _WIDTH)), 0, cached, cached + rows, name="positions")
    x = b.add(b.gather(table, tokens, name="embed"), positions)
    results = []
    for index in range(_LAYERS):
        with b.scope(f"h{index}"):
            qkv = b.linear(b.layer_norm(x, name="ln_1"), 3 * _WIDTH, name="c_attn")
            parts = b.split(qkv, (_WIDTH,) * 3, axis=2)
            q, k, v = (b.heads(p, _HEADS, name=f"{n}_heads") for n, p in zip("qkv", parts, strict=True))
            if cached:
                shape = (batch, _HEADS, cached, _WIDTH // _HEADS)
                k = b.cache_append(b.input("key_cache", shape), k, axis=2, name="append_key")
                v = b.cache_append(b.input("value_cache", shape), v, axis=2, name="append_value")
            results += [k, v]
            x = b.add(x, b.linear(b.attention(q, k, v, name="attention"), _WIDTH, name="c_proj"))
            y = b.act(b.linear(b.layer_norm(x, name="ln_2"), 4 * _WIDTH, name="mlp_fc"), "gelu_tanh")
            x = b.add(x, b.linear(y, _WIDTH, name="mlp_proj"))
    last = x if rows == 1 else b.take(x, 1, rows - 1, rows, name="last")
    logits = b.linear(b.layer_norm(last, name="ln_f"), _VOCABULARY, bias=False, weight=table, name="lm_head")
    return b.build(logits, *results)


def gpt2_prefill(batch: int = 1, sequence: int = 1024) -> Network:
    """Return the prefill of `sequence` tokens."""
    return _gpt2("gpt2_prefill", batch, sequence, 0)


def gpt2_decode(batch: int = 1, kv_length: int = 1023) -> Network:
    """Return the decoding of one token behind `kv_length` cached ones."""
    return _gpt2("gpt2_decode", batch, 1, kv_length)


ENTRIES = (
    Entry("gpt2_prefill", "GPT-2 124M, prompt of 1024 tokens", SOURCE, gpt2_prefill),
    Entry("gpt2_decode", "GPT-2 124M, one token behind 1023", SOURCE, gpt2_decode),
)
