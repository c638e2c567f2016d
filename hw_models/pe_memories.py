"""Memories inside the PEs of a row-stationary array and the buses that feed them."""

from __future__ import annotations

from dataclasses import dataclass

from workloads.errors import InputError


@dataclass(frozen=True, slots=True)
class PEMemories:
    """Words a PE keeps, words per cycle of each bus, and the bank in which the global buffer is handed out.

    Parameters
    ----------
    filter_words, ifmap_words, psum_words : int
        Memories inside a PE.
    filter_bus_words, ifmap_bus_words, psum_in_bus_words, psum_out_bus_words : int
        Per cycle, between global buffer and array.
    bank_bytes : int
        A bank of the global buffer belongs to images or to partial sums for a layer.
    """

    filter_words: int
    ifmap_words: int
    psum_words: int
    filter_bus_words: int
    ifmap_bus_words: int
    psum_in_bus_words: int
    psum_out_bus_words: int
    bank_bytes: int

    def __post_init__(self) -> None:
        for key in self.__slots__:
            value = getattr(self, key)
            if value < 1:
                raise InputError(f"array: pe_memories.{key} is {value}, bound is >= 1; give a positive integer")
