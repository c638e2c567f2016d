"""Naive twin of the bank model: every read of every pass, access by access, with dictionaries.

Addresses are worked out here from the order of the elements alone; nothing of `hw_models.banking` is called but its
plain descriptions.
"""

from __future__ import annotations

from itertools import product

from hw_models.accelerator import Core
from hw_models.banking.banks import Banks
from hw_models.banking.passes import PassReads

Access = int | None


def bank(banks: Banks, address: int) -> tuple[int, int]:
    """Return (bank, word) of a byte."""
    word = address // banks.word_bytes
    row, column = divmod(word, banks.count)
    if banks.spread == "interleaved":
        return column, word
    if banks.spread == "skewed":
        return (column + row) % banks.count, word
    return (word // banks.words) % banks.count, word


def cycles_of(banks: Banks | None, addresses: list[Access]) -> int:
    """Return the cycles of one read: rounds in which every bank gives as many words as it has ports."""
    if banks is None:
        return 1
    waiting: dict[int, set[int]] = {}
    for address in addresses:
        if address is not None:
            place, word = bank(banks, address)
            waiting.setdefault(place, set()).add(word)
    rounds = 0
    while any(waiting.values()):
        rounds += 1
        for words in waiting.values():
            for _ in range(banks.ports):
                if words:
                    words.pop()
    return max(1, rounds)


class NaivePass:
    """One pass on one core."""

    def __init__(self, core: Core, dataflow: str, reads: PassReads) -> None:
        self.core, self.flow, self.reads = core, dataflow, reads
        x = reads.input
        self.pixels = list(product(*(range(n) for n in x.pixels)))
        step = reads.weight.places
        self.window = [
            (tap, place, c)
            for tap, place in enumerate(product(*(range(n) for n in x.taps)))
            for c in range(0, x.channels, step)
        ]
        """Operands of a PE: tap and first channel."""
        sums = -(-core.array.cols * core.accumulator_bytes)
        banks = core.accumulator.banks
        self.update = 1
        if banks is not None:
            self.update = cycles_of(banks, [w * banks.word_bytes for w in range(-(-sums // banks.word_bytes))])

    def input_address(self, group: int, pixel: tuple[int, ...], element: tuple[int, tuple[int, ...], int]) -> Access:
        x, (_, tap, c) = self.reads.input, element
        n, g = x.first[0] + pixel[0], x.first[1] + group
        at = [x.first[2 + a] + pixel[1 + a] * x.stride[a] + tap[a] * x.dilation[a] for a in range(3)]
        if any(not 0 <= v < x.tile[2 + a] for a, v in enumerate(at)):
            return None
        channel = x.first[5] + c
        size = x.tile
        if self.reads.input_layout.startswith("planar"):
            line = (((n * size[1] + g) * size[5] + channel) * size[2] + at[0]) * size[3] + at[1]
            inside = at[2] * x.element_bytes
            length = size[4] * x.element_bytes + x.padding_bytes
        else:
            line = ((n * size[1] + g) * size[2] + at[0]) * size[3] + at[1]
            inside = (at[2] * size[5] + channel) * x.element_bytes
            length = size[4] * size[5] * x.element_bytes + x.padding_bytes
        return x.start_bytes + line * length + inside

    def weight_address(self, group: int, element: tuple[int, tuple[int, ...], int], output: int) -> int:
        w, (tap, _, c) = self.reads.weight, element
        g, c, k = w.first[0] + group, w.first[1] + c, w.first[2] + output
        _, taps, channels, outputs = w.tile
        if self.reads.weight_layout == "output_first":
            index = ((g * outputs + k) * taps + tap) * channels + c
        else:
            index = ((g * taps + tap) * channels + c) * outputs + k
        return w.start_bytes + index * w.element_bytes

    def word(self, element: tuple[int, tuple[int, ...], int]) -> list[tuple[int, tuple[int, ...], int]]:
        """Return the elements of a PE's operand: its channels, as many as there are."""
        tap, place, first = element
        last = min(first + self.reads.weight.places, self.reads.input.channels)
        return [(tap, place, c) for c in range(first, last)]

    def inputs(self, group: int, pixel: tuple[int, ...], element: tuple[int, tuple[int, ...], int]) -> list[Access]:
        return [self.input_address(group, pixel, e) for e in self.word(element)]

    def weights(self, group: int, element: tuple[int, tuple[int, ...], int], output: int) -> list[Access]:
        """Return what holds the weights of an operand: elements, or the bytes of its packed word, bit by bit."""
        w, (tap, _, c) = self.reads.weight, element
        if not w.word_bits:
            return [self.weight_address(group, e, output) for e in self.word(element)]
        _, taps, channels, outputs = w.tile
        rows = len(range(0, channels, w.places))
        row_bytes = len(range(0, outputs * w.word_bits, 8))
        row = ((w.first[0] + group) * taps + tap) * rows + (w.first[1] + c) // w.places
        first = (w.first[2] + output) * w.word_bits
        return [w.start_bytes + row * row_bytes + bit // 8 for bit in range(first, first + w.word_bits)]

    def row_sets(self) -> list[list[tuple[int, tuple[int, ...], int] | None]]:
        """Return the elements of the window that the rows hold, fold by fold."""
        rows = self.core.array.rows
        if self.core.array.reduction_unroll == "window":
            parts = [self.window]
        else:
            parts = [[e for e in self.window if e[0] == tap] for tap in range(self.reads.weight.tile[1])]
        folds: list[list[tuple[int, tuple[int, ...], int] | None]] = []
        for part in parts:
            for start in range(0, len(part), rows):
                fold: list[tuple[int, tuple[int, ...], int] | None] = list(part[start : start + rows])
                folds.append(fold + [None] * (rows - len(fold)))
        return folds

    def vectors(self) -> list[tuple[list[int], list[int]]]:
        """Return, per fold in order, the cycles of every row that loads behind the shadow and of every step."""
        core = self.core
        i, w, array = core.input.banks, core.weight.banks, core.array
        folds = []
        for group in range(self.reads.input.groups):
            outputs = list(range(self.reads.weight.outputs))
            if self.flow == "ws":
                for k0 in range(0, len(outputs), array.cols):
                    lanes = outputs[k0 : k0 + array.cols]
                    for held in self.row_sets():
                        load = [
                            1 if e is None else cycles_of(w, [a for k in lanes for a in self.weights(group, e, k)])
                            for e in held
                        ]
                        steps = [
                            cycles_of(i, [a for e in held if e is not None for a in self.inputs(group, p, e)])
                            for p in self.pixels
                        ]
                        folds.append((load, [max(step, self.update) for step in steps]))
            elif self.flow == "is":
                for p0 in range(0, len(self.pixels), array.cols):
                    pixels = self.pixels[p0 : p0 + array.cols]
                    for held in self.row_sets():
                        load = [
                            1 if e is None else cycles_of(i, [a for p in pixels for a in self.inputs(group, p, e)])
                            for e in held
                        ]
                        steps = [
                            cycles_of(w, [a for e in held if e is not None for a in self.weights(group, e, k)])
                            for k in outputs
                        ]
                        folds.append((load, [max(step, self.update) for step in steps]))
            else:
                for k0 in range(0, len(outputs), array.cols):
                    lanes = outputs[k0 : k0 + array.cols]
                    for p0 in range(0, len(self.pixels), array.rows):
                        pixels = self.pixels[p0 : p0 + array.rows]
                        steps = [
                            max(
                                cycles_of(i, [a for p in pixels for a in self.inputs(group, p, e)]),
                                cycles_of(w, [a for k in lanes for a in self.weights(group, e, k)]),
                            )
                            for e in self.window
                        ]
                        folds.append(([], steps))
        return folds

    def operands(self, issue: int, previous: int | None) -> tuple[int, int]:
        """Return the times of first and last operand, fold by fold."""
        loaded, ended, first = issue, previous, -1
        for load, steps in self.vectors():
            length = sum(steps)
            if self.flow == "os":
                start = issue if ended is None else max(issue, ended)
                while ended is not None and start + length < ended + self.core.array.rows * self.update:
                    start += 1
            else:
                loaded += sum(load)
                start = loaded if ended is None else max(loaded, ended)
                loaded = start  # the shadow is free again
            first = start if first < 0 else first
            ended = start + length
        assert ended is not None
        return first, ended
