"""Energy per event from tables with a source, a node and a unit per row (§3.10).

Rules, each printed in the source text of the figure it made:

* MAC of integers: multiply row at the wider operand + add row at the accumulator width. At 45 nm an int8 multiply is
  0.2 pJ and an int8 add 0.03 pJ, so a MAC that accumulates in 8 bits costs 0.23 pJ and one in 32 bits 0.3 pJ.
* Integer adds between two tabulated widths: linear in the width (an adder is a chain of one-bit adders).
* SRAM: energy per bit of one access, interpolated log-log on the capacity between rows of one node; a row below its
  predecessor is raised to it, so the figure never falls with capacity.
* Other nodes: times the ratio of ``a V^2 + b V + c`` (Stillmaker and Baas) at 0.9 V, coefficients linear between nodes.

Figures are rounded to 1e-6 pJ, half to even; everything before that is exact or in 28 decimal digits.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from functools import cache
from importlib import resources
from itertools import pairwise
from typing import Any, Literal

from workloads.errors import InputError
from workloads.formats import FloatFormat, Format
from workloads.nearest import nearest

Access = Literal["read", "write"]
TABLES = ("published",)
_STEP_PJ = Decimal("0.000001")
_CONTEXT = Context(prec=28, rounding=ROUND_HALF_EVEN)
#: Slope of the log-log fit of read energy per bit over capacity at 45 nm; used past the largest row only.
CAPACITY_EXPONENT = Decimal("0.51")


@dataclass(frozen=True, slots=True)
class EnergyRow:
    """One published figure; `node_nm` is 0 where the figure belongs to no node (DRAM devices)."""

    key: str
    value: Fraction
    unit: str
    node_nm: int
    source: str
    confidence: str


@dataclass(frozen=True, slots=True)
class SramRow:
    """Access energy of one memory of `size_bytes` with words of `word_bits`."""

    node_nm: int
    size_bytes: int
    read_pj_per_bit: Fraction
    write_pj_per_bit: Fraction


@dataclass(frozen=True, slots=True)
class Figure:
    """An energy and where it comes from, rules applied included."""

    pj: Fraction
    source: str


@dataclass(frozen=True, slots=True)
class EnergyTable:
    """Rows of one table.

    Parameters
    ----------
    scaling : tuple of (node_nm, a, b, c)
        Polynomial of the supply per node, decreasing node.
    """

    name: str
    rows: tuple[EnergyRow, ...]
    sram_rows: tuple[SramRow, ...]
    sram_source: str
    scaling: tuple[tuple[int, Fraction, Fraction, Fraction], ...]
    scaling_source: str
    supply_v: Fraction

    def row(self, key: str) -> EnergyRow:
        """Return the row `key`.

        Raises
        ------
        InputError
            If there is none: a missing figure is an error, never a guess.
        """
        for row in self.rows:
            if row.key == key:
                return row
        keys = [row.key for row in self.rows]
        raise InputError(
            f"energy table '{self.name}': has no figure '{key}'; give the value and its source in the description, or "
            f"set energy.allow_default{nearest(key, keys)}"
        )

    def scale(self, from_nm: int, to_nm: int) -> Fraction:
        """Return the energy ratio of node `to_nm` to node `from_nm`, exact.

        Raises
        ------
        InputError
            If a node is outside the tabulated range.
        """
        return self._supply_polynomial(to_nm) / self._supply_polynomial(from_nm)

    def _supply_polynomial(self, node_nm: int) -> Fraction:
        v = self.supply_v
        points = [(nm, a * v * v + b * v + c) for nm, a, b, c in self.scaling]
        if not points[-1][0] <= node_nm <= points[0][0]:
            raise InputError(
                f"energy table '{self.name}': node is {node_nm} nm, bound is {points[-1][0]}..{points[0][0]} nm; "
                f"choose one in it"
            )
        upper = min(p for p in points if p[0] >= node_nm)
        lower = max(p for p in points if p[0] <= node_nm)
        if upper[0] == lower[0]:
            return upper[1]
        share = Fraction(node_nm - lower[0], upper[0] - lower[0])
        return lower[1] + share * (upper[1] - lower[1])

    def _at_node(self, pj: Fraction, source: str, from_nm: int, to_nm: int) -> Figure:
        """Return `pj` moved from one node to another and rounded."""
        if from_nm in (0, to_nm):
            return Figure(_rounded(pj), source)
        factor = self.scale(from_nm, to_nm)
        note = (
            f"; scaled {from_nm} -> {to_nm} nm by {float(factor):.4f} ({self.scaling_source}, {float(self.supply_v)} V)"
        )
        return Figure(_rounded(pj * factor), source + note)

    def add(self, bits: int) -> Figure:
        """Return an integer add of `bits` at the table's node."""
        known = {int(row.key[3:-4]): row for row in self.rows if row.key.startswith("int") and row.key.endswith("_add")}
        if bits in known:
            return Figure(known[bits].value, f"{known[bits].key} {float(known[bits].value):g} pJ")
        below = [width for width in known if width < bits]
        above = [width for width in known if width > bits]
        if not below or not above:
            self.row(f"int{bits}_add")
        low, high = known[max(below)], known[min(above)]
        share = Fraction(bits - max(below), min(above) - max(below))
        return Figure(
            low.value + share * (high.value - low.value), f"add of {bits} bits, linear between {low.key} and {high.key}"
        )

    def mac(
        self,
        input_format: Format,
        weight_format: Format,
        accumulator: Format,
        node_nm: int,
        *,
        allow_default: bool = False,
    ) -> Figure:
        """Return one multiply-accumulate at `node_nm`.

        Parameters
        ----------
        allow_default : bool
            Take the next wider row where the operand width has none; the source then says so.

        Raises
        ------
        InputError
            If a row is missing and no default is allowed.
        """
        wider = max((input_format, weight_format), key=lambda fmt: fmt.bits)
        if isinstance(wider, FloatFormat):
            multiply, add = self.row(f"{wider.name}_mult"), self.row(f"{accumulator.name}_add")
            text = f"{multiply.key} {float(multiply.value):g} pJ + {add.key} {float(add.value):g} pJ; {multiply.source}"
            return self._at_node(multiply.value + add.value, text, multiply.node_nm, node_nm)
        keys = {row.key: row for row in self.rows}
        name, note = f"int{wider.bits}", ""
        if f"{name}_mult" not in keys and f"{name}_mac" in keys:
            whole = keys[f"{name}_mac"]
            text = f"{whole.key} {float(whole.value):g} pJ (accumulate included); {whole.source}"
            return self._at_node(whole.value, text, whole.node_nm, node_nm)
        if f"{name}_mult" not in keys and allow_default:
            widths = sorted(int(k[3:-5]) for k in keys if k.startswith("int") and k.endswith("_mult"))
            fits = [width for width in widths if width >= wider.bits]
            if fits:
                note, name = f"default: int{fits[0]} stands for {name}; ", f"int{fits[0]}"
        multiply = self.row(f"{name}_mult")
        added = self.add(accumulator.bits)
        text = f"{note}{multiply.key} {float(multiply.value):g} pJ + {added.source}; {multiply.source}"
        return self._at_node(multiply.value + added.pj, text, multiply.node_nm, node_nm)

    def lane_operation(self, node_nm: int) -> Figure:
        """Return one vector-lane operation: an int32 multiply, the dearest step of a requantisation, for each."""
        row = self.row("int32_mult")
        text = f"{row.key} {float(row.value):g} pJ for every lane operation (upper figure); {row.source}"
        return self._at_node(row.value, text, row.node_nm, node_nm)

    def dram_per_byte(self, standard: str) -> Figure:
        """Return one byte moved on a DRAM of `standard`, either direction; no node scaling."""
        known = [row.key.removeprefix("dram_") for row in self.rows if row.unit == "pJ/bit"]
        if standard.lower() not in known:
            raise InputError(
                f"energy table '{self.name}': DRAM standard '{standard}' has no figure"
                f"{nearest(standard.lower(), known)}; use one of {', '.join(known)} or give per_byte and source"
            )
        row = self.row(f"dram_{standard.lower()}")
        return Figure(_rounded(row.value * 8), f"{standard} {float(row.value):g} pJ/bit; {row.source}")

    def sram_per_byte(
        self, capacity_bytes: int, access: Access, node_nm: int, *, allow_default: bool = False
    ) -> Figure:
        """Return the energy of one byte of an access to a memory of `capacity_bytes`.

        Rows of the node are used where there are any, otherwise those of the next larger node, scaled.

        Raises
        ------
        InputError
            If the capacity is outside the rows and no default is allowed.
        """
        nodes = sorted({row.node_nm for row in self.sram_rows})
        base = next((node for node in nodes if node >= node_nm), nodes[-1])
        points: list[tuple[int, Fraction]] = []
        for row in sorted((r for r in self.sram_rows if r.node_nm == base), key=lambda r: r.size_bytes):
            value = row.read_pj_per_bit if access == "read" else row.write_pj_per_bit
            points.append((row.size_bytes, max(value, points[-1][1]) if points else value))
        note = ""
        least, most = points[0][0], points[-1][0]
        if not least <= capacity_bytes <= most:
            if not allow_default:
                raise InputError(
                    f"energy table '{self.name}': memory of {capacity_bytes} bytes is outside its rows, bound is "
                    f"{least}..{most} bytes; give read_per_byte, write_per_byte and source, or set energy.allow_default"
                )
            note = (
                f"default: {least} byte row stands for {capacity_bytes} bytes; "
                if capacity_bytes < least
                else f"default: grown from the {most} byte row as capacity^{CAPACITY_EXPONENT}; "
            )
        per_bit = _interpolated(points, capacity_bytes)
        text = f"{note}SRAM of {capacity_bytes} bytes, per byte accessed; {self.sram_source}"
        return self._at_node(per_bit * 8, text, base, node_nm)


def _rounded(value: Fraction) -> Fraction:
    """Return `value` rounded to 1e-6, half to even."""
    exact = _CONTEXT.divide(Decimal(value.numerator), Decimal(value.denominator))
    return Fraction(exact.quantize(_STEP_PJ, context=_CONTEXT))


def _interpolated(points: list[tuple[int, Fraction]], size: int) -> Fraction:
    """Return the log-log interpolation of `points` at `size`; flat below, a power law above."""

    def decimal(value: Fraction) -> Decimal:
        return _CONTEXT.divide(Decimal(value.numerator), Decimal(value.denominator))

    if size <= points[0][0]:
        return points[0][1]
    for (x0, y0), (x1, y1) in pairwise(points):
        if x0 <= size <= x1:
            if size in (x0, x1) or y0 == y1:
                return y0 if size == x0 or y0 == y1 else y1
            span = _CONTEXT.ln(_CONTEXT.divide(Decimal(x1), Decimal(x0)))
            share = _CONTEXT.divide(_CONTEXT.ln(_CONTEXT.divide(Decimal(size), Decimal(x0))), span)
            rise = _CONTEXT.ln(_CONTEXT.divide(decimal(y1), decimal(y0)))
            return y0 * Fraction(_CONTEXT.exp(_CONTEXT.multiply(share, rise)))
    growth = _CONTEXT.ln(_CONTEXT.divide(Decimal(size), Decimal(points[-1][0])))
    return points[-1][1] * Fraction(_CONTEXT.exp(_CONTEXT.multiply(growth, CAPACITY_EXPONENT)))


@cache
def load_energy_table(name: str) -> EnergyTable:
    """Return the shipped table `name`.

    Raises
    ------
    InputError
        If there is no such table.
    """
    if name not in TABLES:
        raise InputError(f"energy table '{name}' is unknown{nearest(name, TABLES)}; use one of {', '.join(TABLES)}")
    text = (resources.files("hw_models.tables") / f"energy_{name}.json").read_text(encoding="utf-8")
    data: dict[str, Any] = json.loads(text)
    sram, scaling = data["sram"], data["scaling"]
    return EnergyTable(
        name=name,
        rows=tuple(EnergyRow(**(row | {"value": Fraction(row["value"])})) for row in data["rows"]),
        sram_rows=tuple(
            SramRow(
                row["node_nm"],
                row["size_bytes"],
                Fraction(row["read_pj"]) / row["word_bits"],
                Fraction(row["write_pj"]) / row["word_bits"],
            )
            for row in sram["rows"]
        ),
        sram_source=sram["source"],
        scaling=tuple(
            (nm, Fraction(a), Fraction(b), Fraction(c))
            for nm, (a, b, c) in zip(scaling["nodes_nm"], scaling["coefficients"], strict=True)
        ),
        scaling_source=scaling["source"],
        supply_v=Fraction(scaling["supply_v"]),
    )
