"""Dequantise-on-read units under test: both results, the AWQ order and others, one code per word, group of one word."""

from __future__ import annotations

from hw_models.dequantise import DequantParams
from hw_models.nibbles import AWQ_ORDER, linear_order
from workloads.formats import Float16, Int

CORES = (
    DequantParams(),
    DequantParams(4, 16, Int(8), AWQ_ORDER),
    DequantParams(2, 4, Int(8, signed=False), (2, 0, 3, 1)),
    DequantParams(3, 10, Int(5), linear_order(10)),
    DequantParams(8, 12, Int(16), linear_order(4)),
    DequantParams(2, 3, Int(1), linear_order(1)),
    DequantParams(4, 128, Float16(), AWQ_ORDER),
    DequantParams(4, 16, Float16(), (0, 2, 1, 3)),
    DequantParams(2, 1, Float16(), linear_order(1)),
    DequantParams(8, 128, Float16(), linear_order(8)),
    DequantParams(5, 6, Float16(), linear_order(3)),
)
