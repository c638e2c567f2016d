"""Llama 7B: prefill of a prompt and decoding of one token against a key/value cache.

The whole score matrix is computed; the causal mask acts inside the softmax and is no layer. Rotary cosines and sines
are network inputs (tables made outside). The result is for the last position only.
"""

from __future__ import annotations

from workloads.builder import NetworkBuilder
from workloads.errors import InputError
from workloads.formats import Int
from workloads.network import Network
from workloads.zoo.entry import Entry

SOURCE = (
    "Touvron et al., arXiv:2302.13971; transformers 5.23.0 models/llama/configuration_llama.py defaults (32 layers, "
    "4096, 32 heads, 32 key/value heads, 11008, vocabulary 32000, 2048 positions)"
)
_WIDTH, _HEADS, _HIDDEN, _VOCABULARY, _POSITIONS = 4096, 32, 11008, 32000, 2048


def _llama(name: str, batch: int, rows: int, cached: int, layers: int, kv_heads: int) -> Network:
    """Return the network that runs `rows` new tokens behind `cached` old ones."""
    if rows + cached > _POSITIONS:
        raise InputError(
            f"workload '{name}': {rows + cached} positions asked for, bound is {_POSITIONS}; "
            "reduce the sequence or kv_length"
        )
    if layers > 32:
        raise InputError(f"workload '{name}': layers is {layers}, bound is 32; reduce it")
    if _HEADS % kv_heads:
        raise InputError(f"workload '{name}': kv_heads is {kv_heads}, bound is a divisor of {_HEADS}; correct it")
    b = NetworkBuilder(name, SOURCE)
    head = _WIDTH // _HEADS
    tokens = b.input("tokens", (batch, rows), Int(32))
    tables = b.input("cosines", (rows, head)), b.input("sines", (rows, head))
    x = b.gather(b.constant("embed_tokens", (_VOCABULARY, _WIDTH)), tokens, name="embed")
    results = []
    for index in range(layers):
        with b.scope(f"layer{index}"):
            y = b.rms_norm(x, name="input_norm")
            q, k, v = (
                b.heads(b.linear(y, count * head, bias=False, name=f"{n}_proj"), count, name=f"{n}_heads")
                for n, count in (("q", _HEADS), ("k", kv_heads), ("v", kv_heads))
            )
            q, k = b.rotary(q, *tables, name="q_rotary"), b.rotary(k, *tables, name="k_rotary")
            if cached:
                shape = (batch, kv_heads, cached, head)
                k = b.cache_append(b.input("key_cache", shape), k, axis=2, name="append_key")
                v = b.cache_append(b.input("value_cache", shape), v, axis=2, name="append_value")
            results += [k, v]
            x = b.add(x, b.linear(b.attention(q, k, v, name="attention"), _WIDTH, bias=False, name="o_proj"))
            y = b.rms_norm(x, name="post_norm")
            gate = b.act(b.linear(y, _HIDDEN, bias=False, name="gate_proj"), "silu")
            y = b.mul(gate, b.linear(y, _HIDDEN, bias=False, name="up_proj"))
            x = b.add(x, b.linear(y, _WIDTH, bias=False, name="down_proj"))
    last = x if rows == 1 else b.take(x, 1, rows - 1, rows, name="last")
    logits = b.linear(b.rms_norm(last, name="norm"), _VOCABULARY, bias=False, name="lm_head")
    return b.build(logits, *results)


def llama_7b_prefill(batch: int = 1, sequence: int = 512, layers: int = 32, kv_heads: int = 32) -> Network:
    """Return the prefill of `sequence` tokens; fewer `kv_heads` give grouped-query attention."""
    return _llama("llama_7b_prefill", batch, sequence, 0, layers, kv_heads)


def llama_7b_decode(batch: int = 1, kv_length: int = 511, layers: int = 32, kv_heads: int = 32) -> Network:
    """Return the decoding of one token behind `kv_length` cached ones."""
    return _llama("llama_7b_decode", batch, 1, kv_length, layers, kv_heads)


ENTRIES = (
    Entry("llama_7b_prefill", "Llama 7B, prompt of 512 tokens", SOURCE, llama_7b_prefill),
    Entry("llama_7b_decode", "Llama 7B, one token behind 511", SOURCE, llama_7b_decode),
)
