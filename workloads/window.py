"""One axis of a sliding window: which inputs an output needs, in exact integers.

Ordinary:   input  = output * stride - pad_before + tap * dilation
Transposed: output = input  * stride - pad_before + tap * dilation

Padding may be negative: an ordinary window then skips that many inputs at the border; for a transposed one `pad_before`
and `pad_after` crop the output, and a negative `pad_after` is what frameworks call output padding.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

from workloads.errors import InputError


@dataclass(frozen=True, slots=True)
class Window:
    """A sliding window along one axis.

    Parameters
    ----------
    size_in, size_out : int
        Elements of the real input and of the output along the axis.
    taps : int
        Filter size.
    stride, dilation : int
        Both >= 1.
    pad_before, pad_after : int
        See the module docstring.
    transposed : bool
        Scatter instead of gather.

    Examples
    --------
    >>> w = Window(224, 112, 7, 2, 1, 3, 3)
    >>> w.extent(2), w.span(0, 2), w.span(111, 1)
    (9, (0, 6), (219, 224))
    """

    size_in: int
    size_out: int
    taps: int = 1
    stride: int = 1
    dilation: int = 1
    pad_before: int = 0
    pad_after: int = 0
    transposed: bool = False

    def __post_init__(self) -> None:
        for label in ("size_in", "size_out", "taps", "stride", "dilation"):
            if getattr(self, label) < 1:
                raise InputError(f"window: {label} is {getattr(self, label)}, bound is >= 1; correct it")
        expected = window_output(
            self.size_in, self.taps, self.stride, self.dilation, self.pad_before, self.pad_after, self.transposed
        )
        if self.size_out != expected:
            raise InputError(
                f"window: output size is {self.size_out}, input {self.size_in}, filter {self.taps}, stride "
                f"{self.stride}, dilation {self.dilation}, padding ({self.pad_before}, {self.pad_after}) give "
                f"{expected}; correct one of them"
            )

    @property
    def reach(self) -> int:
        """Value of the distance between first and last tap, plus one."""
        return (self.taps - 1) * self.dilation + 1

    def extent(self, out_tile: int) -> int:
        """Return the inputs spanned by `out_tile` neighbouring outputs, borders ignored (the halo rule)."""
        if self.transposed:
            return (out_tile - 1 + self.reach - 1) // self.stride + 1
        return (out_tile - 1) * self.stride + self.reach

    def span(self, out_start: int, out_tile: int) -> tuple[int, int]:
        """Return (start, stop) of the real inputs that outputs ``out_start .. out_start + out_tile - 1`` need.

        Padding is not fetched, so the span is clipped; it is empty (start == stop) where only padding is seen.
        """
        if out_start < 0 or out_tile < 1 or out_start + out_tile > self.size_out:
            raise InputError(
                f"window: outputs {out_start}..{out_start + out_tile - 1} asked for, bound is 0..{self.size_out - 1}; "
                "reduce the tile"
            )
        if self.transposed:
            first = -(-(out_start + self.pad_before - (self.reach - 1)) // self.stride)
            last = (out_start + out_tile - 1 + self.pad_before) // self.stride
        else:
            first = out_start * self.stride - self.pad_before
            last = first + (out_tile - 1) * self.stride + self.reach - 1
        start = min(max(first, 0), self.size_in)
        return start, max(start, min(last + 1, self.size_in))

    @property
    def pairs(self) -> int:
        """Value of the (output, tap) pairs that meet a real input: the products that are not with padding."""
        total = 0
        for tap in range(self.taps):
            # both forms step one index by `stride` and ask how often the other lands inside its range
            shift = tap * self.dilation - self.pad_before
            steps, limit = (self.size_in, self.size_out) if self.transposed else (self.size_out, self.size_in)
            low = max(0, -(shift // self.stride))
            high = min(steps - 1, (limit - 1 - shift) // self.stride)
            total += max(0, high - low + 1)
        return total

    @property
    def touched(self) -> int:
        """Value of the count of distinct real inputs that any output needs."""
        if self.transposed:
            shifts = [tap * self.dilation - self.pad_before for tap in range(self.taps)]
            return sum(any(0 <= i * self.stride + s < self.size_out for s in shifts) for i in range(self.size_in))
        if self.dilation == 1 and self.taps >= self.stride:
            start, stop = self.span(0, self.size_out)
            return stop - start
        seen: set[int] = set()
        for tap in range(self.taps):
            shift = tap * self.dilation - self.pad_before
            reached = range(shift, shift + self.size_out * self.stride, self.stride)
            seen.update(i for i in reached if 0 <= i < self.size_in)
        return len(seen)

    def phases(self) -> tuple[WindowPhase, ...]:
        """Return the ordinary stride-1 windows that together make this transposed one, one per output residue.

        Output ``offset + stride * j`` of the transposed window is output ``j`` of its phase. Residues that no tap
        reaches (a filter shorter than the stride) have no phase: their outputs are zero (bias only).
        """
        if not self.transposed:
            raise InputError("window: phases are defined for transposed windows only; use the window itself")
        common = gcd(self.stride, self.dilation)
        found = []
        for offset in range(min(self.stride, self.size_out)):
            at = offset + self.pad_before
            # descending taps meet ascending inputs, which is what an ordinary window does
            taps = tuple(t for t in reversed(range(self.taps)) if (at - t * self.dilation) % self.stride == 0)
            if not taps:
                continue
            count = -(-(self.size_out - offset) // self.stride)
            dilation = self.dilation // common
            before = (taps[0] * self.dilation - at) // self.stride
            after = count - self.size_in - before + (len(taps) - 1) * dilation
            window = Window(self.size_in, count, len(taps), 1, dilation, before, after)
            found.append(WindowPhase(offset, self.stride, taps, window))
        return tuple(found)


@dataclass(frozen=True, slots=True)
class WindowPhase:
    """One residue of a transposed window: outputs ``offset + step * j``, taps in the order used, and the window."""

    offset: int
    step: int
    taps: tuple[int, ...]
    window: Window


def window_output(
    size_in: int, taps: int, stride: int, dilation: int, pad_before: int, pad_after: int, transposed: bool = False
) -> int:
    """Return the output size of a window (may be < 1 where the filter does not fit).

    Examples
    --------
    >>> window_output(224, 7, 2, 1, 3, 3), window_output(7, 4, 2, 1, 1, 1, transposed=True)
    (112, 14)
    """
    reach = (taps - 1) * dilation + 1
    if transposed:
        return (size_in - 1) * stride + reach - pad_before - pad_after
    return (size_in + pad_before + pad_after - reach) // stride + 1
