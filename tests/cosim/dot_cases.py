"""Dot-product cores under test: every kind of product, several widths, one lane and an odd number of lanes."""

from __future__ import annotations

from fractions import Fraction

from hw_models.dot import DotParams
from hw_models.products import IntProduct, NMProduct, Product
from hw_models.products_narrow import SelectProduct, TernaryProduct, XnorProduct
from hw_models.products_power import PowerProduct
from hw_models.products_table import CodebookProduct, OddProduct, ShiftProduct, SplitProduct
from workloads.formats import Int

I8, U8, I4, U4, I2, U2 = (Int(bits, signed) for bits in (8, 4, 2) for signed in (True, False))
DENSE: tuple[Product, ...] = tuple(
    IntProduct(*pair)
    for pair in ((I8, I8), (U8, I8), (U8, U8), (I8, I4), (U8, I4), (I8, I2), (I4, I4), (U4, I4), (I2, I2))
)
SPARSE: tuple[Product, ...] = tuple(
    NMProduct(n, m, *formats)
    for n, m, formats in (
        (1, 4, (I8, I8)), (2, 4, (I8, I8)), (2, 8, (I8, I8)), (4, 8, (I8, I4)), (1, 1, (I4, I4)), (3, 5, (U8, I4)),
        (16, 16, (I2, I2)), (2, 4, (I4, I2)),
    )
)  # fmt: skip
NARROW: tuple[Product, ...] = (
    XnorProduct(1), XnorProduct(9), XnorProduct(32), TernaryProduct(1), TernaryProduct(16),
    SelectProduct(I8, binary=True), SelectProduct(U8, binary=True), SelectProduct(I8, binary=False),
)  # fmt: skip
DECODED: tuple[Product, ...] = (
    OddProduct(I4, 2), OddProduct(I8, 4), OddProduct(U4, 1), ShiftProduct(I8, 7), ShiftProduct(U4, 0),
    CodebookProduct(I8, (0, 3, -7, 100)), CodebookProduct(U8, tuple(range(-8, 8))),
    SplitProduct(I8, 2, (3, 100, 17), (1, 2, 0)), SplitProduct(U8, 4, (1, 1, 255), (0, 15, 8)),
    *(PowerProduct(4, Fraction(1, 2), form) for form in ("decode", "table", "square")),
    *(PowerProduct(4, Fraction(1, 3), form) for form in ("decode", "table")),
    *(PowerProduct(5, Fraction(2, 3), form, 4) for form in ("decode", "table")),
    PowerProduct(8, Fraction(1, 2), "square"),
)  # fmt: skip
KINDS = (*DENSE, *SPARSE, *NARROW, *DECODED)


def core(product: Product, lanes: int) -> DotParams:
    """Return a core wide enough for 512 extreme products."""
    probe = DotParams(product, lanes, 63)
    return DotParams(product, lanes, probe.required_accumulator_bits(512 * product.elements))


CORES = tuple(core(kind, lanes) for index, kind in enumerate(KINDS) for lanes in ((1, 3, 4, 7)[index % 4],))
