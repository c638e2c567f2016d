"""Parameters and closed-form cycles of streaming units: matrix-vector, window, pooling, width change, fork, join.

A stream carries words; a word holds `elements` values of one pixel. A unit takes and gives at most one word per port
and cycle. What a unit does over time when its neighbours stall it is in `sim.pipeline`; here are sizes and the cycles
of a unit that never waits, as in the FINN-R cost model (Blott et al., ACM TRETS 11(3), 2018).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from workloads.errors import InputError

MAX_WORDS = 1 << 26
"""Words of one stage and image; more is a slip of the pen."""


def positive(name: str, **values: int) -> None:
    """Raise `InputError` naming the first value of stage `name` below one."""
    for key, value in values.items():
        if value < 1:
            raise InputError(f"stage '{name}': {key} is {value}, bound is >= 1; give a positive integer")


def divides(name: str, part: str, small: int, whole: str, large: int) -> None:
    """Raise `InputError` unless `small` divides `large`."""
    if large % small:
        raise InputError(
            f"stage '{name}': {part} is {small}, it does not divide {whole} ({large}); choose a divisor of {large}"
        )


@dataclass(frozen=True, slots=True)
class Stage(ABC):
    """What every unit has.

    Parameters
    ----------
    name : str
        Unique in its pipeline.
    """

    name: str

    @property
    @abstractmethod
    def words_in(self) -> int:
        """Value of the words taken from each input port per image."""

    @property
    @abstractmethod
    def words_out(self) -> int:
        """Value of the words given on each output port per image."""

    @property
    def element_in(self) -> int:
        """Value of the elements of an input word; 0 where any will do."""
        return 0

    @property
    def element_out(self) -> int:
        """Value of the elements of an output word; 0 where any will do."""
        return 0

    @property
    def ports(self) -> tuple[int, int]:
        """Value of the number of input and of output ports."""
        return (1, 1)

    @property
    def cycles(self) -> int:
        """Value of the cycles per image of a unit that never waits: the bound of its initiation interval."""
        return max(self.words_in, self.words_out)


@dataclass(frozen=True, slots=True)
class Source(Stage):
    """Where images come from: `words` words of `elements` per image, one every `interval_cycles`."""

    words: int
    elements: int
    interval_cycles: int = 1

    def __post_init__(self) -> None:
        positive(self.name, words=self.words, elements=self.elements, interval_cycles=self.interval_cycles)

    @property
    def words_in(self) -> int:
        """Value 0."""
        return 0

    @property
    def words_out(self) -> int:
        """Value of the words per image."""
        return self.words

    @property
    def element_out(self) -> int:
        """Value of the elements of a word."""
        return self.elements

    @property
    def ports(self) -> tuple[int, int]:
        """Value of the ports: none in, one out."""
        return (0, 1)

    @property
    def cycles(self) -> int:
        """Value of the cycles per image."""
        return self.words * self.interval_cycles


@dataclass(frozen=True, slots=True)
class MatrixVector(Stage):
    """Matrix-vector unit (MVAU): `pe` rows by `simd` columns of a `rows` x `cols` matrix per cycle.

    Column groups are the inner loop. The input words of a vector are read in the first pass over the columns and kept
    for the others; an output word of `pe` results leaves `latency_cycles` after the last column group of its rows.

    Parameters
    ----------
    rows, cols : int
        Matrix height (MH) and width (MW).
    vectors : int
        Vectors per image (output pixels of a convolution, 1 of a dense layer).
    latency_cycles : int
        Pipeline depth from the last input word to the result.
    """

    rows: int
    cols: int
    pe: int
    simd: int
    vectors: int = 1
    latency_cycles: int = 1

    def __post_init__(self) -> None:
        positive(
            self.name, rows=self.rows, cols=self.cols, pe=self.pe, simd=self.simd, vectors=self.vectors,
            latency_cycles=self.latency_cycles,
        )  # fmt: skip
        divides(self.name, "pe", self.pe, "rows", self.rows)
        divides(self.name, "simd", self.simd, "cols", self.cols)

    @property
    def row_folds(self) -> int:
        """Value of rows / pe."""
        return self.rows // self.pe

    @property
    def col_folds(self) -> int:
        """Value of cols / simd."""
        return self.cols // self.simd

    @property
    def words_in(self) -> int:
        """Value of the input words per image."""
        return self.col_folds * self.vectors

    @property
    def words_out(self) -> int:
        """Value of the output words per image."""
        return self.row_folds * self.vectors

    @property
    def element_in(self) -> int:
        """Value of the elements of an input word."""
        return self.simd

    @property
    def element_out(self) -> int:
        """Value of the elements of an output word."""
        return self.pe

    @property
    def cycles(self) -> int:
        """Value of (rows / pe) (cols / simd) vectors."""
        return self.row_folds * self.col_folds * self.vectors

    @property
    def macs(self) -> int:
        """Value of the MACs per image."""
        return self.rows * self.cols * self.vectors


@dataclass(frozen=True, slots=True)
class SlidingWindow(Stage):
    """Sliding-window unit (SWU): line buffer that turns pixels into windows, one word of `simd` channels per cycle.

    Padding is done by `Pad` in front. The buffer holds `kernel + stride` rows: the next rows are read while windows of
    the present ones are given.
    """

    channels: int
    height: int
    width: int
    kernel: int
    stride: int
    simd: int

    def __post_init__(self) -> None:
        positive(
            self.name, channels=self.channels, height=self.height, width=self.width, kernel=self.kernel,
            stride=self.stride, simd=self.simd,
        )  # fmt: skip
        divides(self.name, "simd", self.simd, "channels", self.channels)
        if self.kernel > min(self.height, self.width):
            raise InputError(
                f"stage '{self.name}': kernel is {self.kernel}, bound is the image side "
                f"({min(self.height, self.width)}); pad the image or shrink the kernel"
            )

    @property
    def out_height(self) -> int:
        """Value of the window rows."""
        return (self.height - self.kernel) // self.stride + 1

    @property
    def out_width(self) -> int:
        """Value of the windows of a row."""
        return (self.width - self.kernel) // self.stride + 1

    @property
    def pixel_words(self) -> int:
        """Value of the words of a pixel."""
        return self.channels // self.simd

    @property
    def buffer_rows(self) -> int:
        """Value of the rows of the line buffer."""
        return self.kernel + self.stride

    @property
    def words_in(self) -> int:
        """Value of the input words per image."""
        return self.height * self.width * self.pixel_words

    @property
    def words_out(self) -> int:
        """Value of the output words per image."""
        return self.out_height * self.out_width * self.kernel**2 * self.pixel_words

    @property
    def element_in(self) -> int:
        """Value of the elements of an input word."""
        return self.simd

    @property
    def element_out(self) -> int:
        """Value of the elements of an output word."""
        return self.simd

    @property
    def fill_cycles(self) -> int:
        """Value of the words read before the first window is whole."""
        return ((self.kernel - 1) * self.width + self.kernel) * self.pixel_words
