"""Reader of SCALE-Sim topology tables: convolution and GEMM rows, positional columns, one layer per row.

What is skipped or ignored is never silent: it stands in `ScaleSimTopology.notes`. A row that the table cannot mean is
an error with its line. Columns are positional, as in the tool that defined the format; the first line is a header.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from workloads.errors import InputError

Kind = Literal["conv", "gemm"]

CONV_COLUMNS = ("ifmap height", "ifmap width", "filter height", "filter width", "channels", "filters", "stride")
GEMM_COLUMNS = ("M", "N", "K")
MAX_BYTES = 1 << 20
MAX_VALUE = 1 << 31
MAX_LAYERS = 1 << 16
_RATIO = re.compile(r"([0-9]{1,9})\s*:\s*([0-9]{1,9})")


@dataclass(frozen=True, slots=True)
class ScaleSimLayer:
    """One layer as a matrix product of `m` x `k` by `k` x `n`.

    Parameters
    ----------
    m : int
        Output pixels (conv: P*Q with ``P = ceil((H - R + stride) / stride)``) or GEMM rows.
    k : int
        Reduction: filter height x filter width x channels.
    n : int
        Filters or GEMM columns.
    ratio : tuple of int
        N:M of the sparsity column; (1, 1) when absent.
    line : int
        Line of the file.
    columns : tuple of (str, int)
        The row as it stands, for reports.
    """

    name: str
    m: int
    k: int
    n: int
    ratio: tuple[int, int]
    line: int
    columns: tuple[tuple[str, int], ...]

    @property
    def macs(self) -> int:
        """Value of the multiply-accumulates."""
        return self.m * self.k * self.n


@dataclass(frozen=True, slots=True)
class ScaleSimTopology:
    """A table: its layers in order and what was skipped or ignored on the way."""

    name: str
    kind: Kind
    layers: tuple[ScaleSimLayer, ...]
    notes: tuple[str, ...]


def read_topology(path: str | Path, kind: Kind | None = None) -> ScaleSimTopology:
    """Read a topology CSV.

    Parameters
    ----------
    kind : {"conv", "gemm"}, optional
        Column meaning; found from the header (cells M, N, K) or the number of columns when left out.

    Raises
    ------
    InputError
        If the file cannot be read or a row is short, not numeric, out of bounds, or has a filter larger than its input.
    """
    file = Path(path)
    try:
        with file.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"topology '{path}': cannot be read ({error.strerror}); check the path") from error
    if len(raw) > MAX_BYTES:
        raise InputError(f"topology '{path}': has more than {MAX_BYTES} bytes; split it")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"topology '{path}': byte {error.start} is not UTF-8; save the file as UTF-8") from error
    return _Reader(str(path), file.stem, text).read(kind)


class _Reader:
    """One pass over one file."""

    def __init__(self, origin: str, name: str, text: str) -> None:
        self.origin = origin
        self.name = name
        self.notes: list[str] = []
        self.rows: list[tuple[int, list[str]]] = [
            (number, [cell.strip() for cell in line.split(",")]) for number, line in enumerate(text.splitlines(), 1)
        ]

    def note(self, line: int, what: str) -> None:
        self.notes.append(f"{self.origin}:{line}: {what}")

    def error(self, line: int, what: str) -> InputError:
        return InputError(f"{self.origin}:{line}: {what}")

    def read(self, kind: Kind | None) -> ScaleSimTopology:
        if not self.rows:
            raise InputError(f"topology '{self.origin}': is empty; a header line and one row per layer are needed")
        (head_line, header), *body = self.rows
        header, rows = self._without_blanks(header, body)
        kind = kind or self._kind(header, rows)
        if _numbers(header[1:]) >= (7 if kind == "conv" else 3):
            self.note(head_line, f"first line skipped as header, though it looks like layer '{header[0]}'")
        layers: list[ScaleSimLayer] = []
        for line, cells in rows:
            layers += self._conv(line, cells) if kind == "conv" else self._gemm(line, cells)
            if len(layers) > MAX_LAYERS:
                raise self.error(line, f"more than {MAX_LAYERS} layers; split the table")
        if not layers:
            raise InputError(f"topology '{self.origin}': has no layer after its header; add rows")
        return ScaleSimTopology(self.name, kind, tuple(layers), tuple(self.notes))

    def _without_blanks(
        self, header: list[str], body: Sequence[tuple[int, list[str]]]
    ) -> tuple[list[str], list[tuple[int, list[str]]]]:
        """Drop blank rows, columns that are blank everywhere, and blank cells at the end of a row."""
        rows = []
        for line, cells in body:
            if any(cells):
                rows.append((line, cells))
            else:
                self.note(line, "blank row skipped")
        width = max(len(cells) for cells in (header, *(cells for _, cells in rows)))
        tables = [header, *(cells for _, cells in rows)]
        used = [i for i in range(width) if any(i < len(cells) and cells[i] for cells in tables)]
        last = used[-1] if used else -1
        for column in (i for i in range(last) if i not in used):
            self.note(1, f"blank column {column + 1} skipped")
        keep = set(used)

        def cut(cells: list[str]) -> list[str]:
            kept = [cell for i, cell in enumerate(cells) if i in keep]
            while kept and not kept[-1]:
                kept.pop()
            return kept

        return cut(header), [(line, cut(cells)) for line, cells in rows]

    def _kind(self, header: list[str], rows: list[tuple[int, list[str]]]) -> Kind:
        if {"m", "n", "k"} <= {cell.lower() for cell in header[1:]}:
            return "gemm"
        if any(word in cell.lower() for cell in header[1:] for word in ("ifmap", "filter")):
            return "conv"
        if rows:
            cells = rows[0][1]
            if len(cells) == 4 or (len(cells) == 5 and _RATIO.fullmatch(cells[4])):
                return "gemm"
        return "conv"

    def _integers(self, line: int, cells: list[str], names: tuple[str, ...]) -> list[int]:
        """Return the numeric columns `names` of a row."""
        if len(cells) - 1 < len(names):
            missing = ", ".join(names[max(len(cells) - 1, 0) :])
            raise self.error(
                line, f"row has {max(len(cells) - 1, 0)} values after the name, {len(names)} are needed; add {missing}"
            )
        values = []
        for name, text in zip(names, cells[1:], strict=False):
            if not re.fullmatch(r"\+?[0-9]{1,12}", text) or not 1 <= int(text) <= MAX_VALUE:
                shown = f"'{text:.40}'" if text else "blank"
                raise self.error(line, f"{name} is {shown}, bound is an integer of 1..{MAX_VALUE}; correct it")
            values.append(int(text))
        return values

    def _ratio(self, line: int, cells: list[str], width: int) -> tuple[int, int]:
        """Return the N:M column after `width` columns, noting what else stands there."""
        rest = cells[width:]
        ratio = (1, 1)
        if rest and (match := _RATIO.fullmatch(rest[0])):
            ratio = (int(match[1]), int(match[2]))
            if not 1 <= ratio[0] <= ratio[1]:
                raise self.error(line, f"sparsity is {rest[0]}, bound is N:M with 1 <= N <= M; correct it")
            rest = rest[1:]
        extra = [cell for cell in rest if cell]
        if extra:
            self.note(line, f"extra columns ignored: {', '.join(extra)}")
        return ratio

    def _name(self, line: int, cells: list[str]) -> str:
        if cells[0]:
            return cells[0]
        self.note(line, f"row has no name, called layer_{line}")
        return f"layer_{line}"

    def _conv(self, line: int, cells: list[str]) -> list[ScaleSimLayer]:
        values = self._integers(line, cells, CONV_COLUMNS)
        height, width, rows, cols, channels, filters, stride = values
        for axis, inner, outer in (("height", rows, height), ("width", cols, width)):
            if inner > outer:
                raise self.error(line, f"filter {axis} is {inner}, bound is ifmap {axis} {outer}; correct one of them")
        ratio = self._ratio(line, cells, len(CONV_COLUMNS) + 1)
        name = self._name(line, cells)
        m = -(-(height - rows + stride) // stride) * -(-(width - cols + stride) // stride)
        columns = tuple(zip(CONV_COLUMNS, values, strict=True))
        if "DP" not in name:
            return [ScaleSimLayer(name, m, rows * cols * channels, filters, ratio, line, columns)]
        if channels > MAX_LAYERS:
            raise self.error(line, f"depthwise row '{name}' has {channels} channels, bound is {MAX_LAYERS}; split it")
        self.note(line, f"'{name}' contains DP: one layer per channel, {channels} layers")
        return [
            ScaleSimLayer(f"{name}Channel_{index}", m, rows * cols, filters, ratio, line, columns)
            for index in range(channels)
        ]

    def _gemm(self, line: int, cells: list[str]) -> list[ScaleSimLayer]:
        m, n, k = self._integers(line, cells, GEMM_COLUMNS)
        ratio = self._ratio(line, cells, len(GEMM_COLUMNS) + 1)
        columns = (("M", m), ("N", n), ("K", k))
        return [ScaleSimLayer(self._name(line, cells), m, k, n, ratio, line, columns)]


def _numbers(cells: list[str]) -> int:
    """Return how many cells from the start are plain integers."""
    count = 0
    for cell in cells:
        if not cell.isdecimal():
            break
        count += 1
    return count
