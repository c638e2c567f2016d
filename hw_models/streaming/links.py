"""Streaming units that only move words: padding, pooling, width conversion, fork and join."""

from __future__ import annotations

from dataclasses import dataclass

from hw_models.streaming.stages import Stage, divides, positive
from workloads.errors import InputError


@dataclass(frozen=True, slots=True)
class Pad(Stage):
    """Zero padding of `before` rows and columns in front and `after` behind; a border word costs a cycle."""

    channels: int
    height: int
    width: int
    simd: int
    before: int
    after: int

    def __post_init__(self) -> None:
        positive(self.name, channels=self.channels, height=self.height, width=self.width, simd=self.simd)
        divides(self.name, "simd", self.simd, "channels", self.channels)
        if self.before < 0 or self.after < 0:
            raise InputError(
                f"stage '{self.name}': padding is ({self.before}, {self.after}), bound is >= 0; correct it"
            )

    @property
    def pixel_words(self) -> int:
        """Value of the words of a pixel."""
        return self.channels // self.simd

    @property
    def element_in(self) -> int:
        """Value of the elements of an input word."""
        return self.simd

    @property
    def element_out(self) -> int:
        """Value of the elements of an output word."""
        return self.simd

    @property
    def words_in(self) -> int:
        """Value of the input words per image."""
        return self.height * self.width * self.pixel_words

    @property
    def words_out(self) -> int:
        """Value of the output words per image."""
        border = self.before + self.after
        return (self.height + border) * (self.width + border) * self.pixel_words


@dataclass(frozen=True, slots=True)
class StreamPool(Stage):
    """Non-overlapping maximum pooling: reads `window` rows of whole pixels, then gives one row of results."""

    channels: int
    height: int
    width: int
    window: int

    def __post_init__(self) -> None:
        positive(self.name, channels=self.channels, height=self.height, width=self.width, window=self.window)
        divides(self.name, "window", self.window, "height", self.height)
        divides(self.name, "window", self.window, "width", self.width)

    @property
    def words_in(self) -> int:
        """Value of the input words per image."""
        return self.height * self.width

    @property
    def words_out(self) -> int:
        """Value of the output words per image."""
        return (self.height // self.window) * (self.width // self.window)

    @property
    def element_in(self) -> int:
        """Value of the channels: a word is a whole pixel."""
        return self.channels

    @property
    def element_out(self) -> int:
        """Value of the channels."""
        return self.channels

    @property
    def cycles(self) -> int:
        """Value of the cycles per image: rows are given after they were read."""
        return self.words_in + self.words_out


@dataclass(frozen=True, slots=True)
class WidthChange(Stage):
    """Data-width converter between words of `narrow` and of `wide` elements: `elements` per image pass."""

    elements: int
    source: int
    target: int

    def __post_init__(self) -> None:
        positive(self.name, elements=self.elements, source=self.source, target=self.target)
        divides(self.name, "source word", self.source, "elements", self.elements)
        divides(self.name, "target word", self.target, "elements", self.elements)

    @property
    def words_in(self) -> int:
        """Value of the input words per image."""
        return self.elements // self.source

    @property
    def words_out(self) -> int:
        """Value of the output words per image."""
        return self.elements // self.target

    @property
    def element_in(self) -> int:
        """Value of the elements of an input word."""
        return self.source

    @property
    def element_out(self) -> int:
        """Value of the elements of an output word."""
        return self.target


@dataclass(frozen=True, slots=True)
class Fork(Stage):
    """Copies each word to `copies` outputs; a word leaves when every output has room for it."""

    words: int
    copies: int = 2

    def __post_init__(self) -> None:
        positive(self.name, words=self.words, copies=self.copies)

    @property
    def words_in(self) -> int:
        """Value of the words per image."""
        return self.words

    @property
    def words_out(self) -> int:
        """Value of the words per image and port."""
        return self.words

    @property
    def ports(self) -> tuple[int, int]:
        """Value of the ports."""
        return (1, self.copies)


@dataclass(frozen=True, slots=True)
class Join(Stage):
    """Adds word by word what `operands` streams bring; waits for all of them."""

    words: int
    operands: int = 2
    latency_cycles: int = 1

    def __post_init__(self) -> None:
        positive(self.name, words=self.words, operands=self.operands, latency_cycles=self.latency_cycles)

    @property
    def words_in(self) -> int:
        """Value of the words per image and port."""
        return self.words

    @property
    def words_out(self) -> int:
        """Value of the words per image."""
        return self.words

    @property
    def ports(self) -> tuple[int, int]:
        """Value of the ports."""
        return (self.operands, 1)
