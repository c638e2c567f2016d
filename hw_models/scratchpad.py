"""Scratchpad of single-port banks that several ports share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hw_models.fabric import check_bits, word_array
from hw_models.products import IntArray
from workloads.errors import InputError

NO_ACCESS = -1
"""Address of a port that asks for nothing."""
MAX_WORDS = 1 << 20


@dataclass(frozen=True, slots=True)
class BankedParams:
    """Parameters of a scratchpad of single-port banks.

    Parameters
    ----------
    banks : int
        A power of two. Words are interleaved: address `a` is word ``a // banks`` of bank ``a % banks``.
    bank_words : int
        Words of a bank.
    bits : int
        Of a word.
    reads, writes : int
        Ports. A beat asks for up to one access per port.

    Notes
    -----
    A bank does one read or one write per cycle. Conflict rule: the lowest port that waits for a bank is served first,
    read ports before write ports. A beat takes as many cycles as its busiest bank has accesses, at least one, and its
    read words leave together. So the reads of a beat see the words before its writes, and of writes of one beat to one
    address that of the highest port stays.
    """

    banks: int
    bank_words: int
    bits: int
    reads: int = 2
    writes: int = 1

    #: From the edge at which the last access of a beat is granted: one to collect its words, one to hand them over.
    FIXED_CYCLES: ClassVar[int] = 2

    def __post_init__(self) -> None:
        if not 1 <= self.banks <= 64 or self.banks & (self.banks - 1):
            raise InputError(f"banked scratchpad: banks is {self.banks}, bound is a power of two in 1..64; choose one")
        if not 1 <= self.bank_words <= MAX_WORDS // self.banks:
            raise InputError(
                f"banked scratchpad: bank_words is {self.bank_words}, bound is 1..{MAX_WORDS // self.banks} with "
                f"{self.banks} banks; choose a size in it"
            )
        check_bits("banked scratchpad", self.bits)
        for key, value in (("reads", self.reads), ("writes", self.writes)):
            if not 1 <= value <= 16:
                raise InputError(f"banked scratchpad: {key} is {value}, bound is 1..16; choose a count in it")

    @property
    def name(self) -> str:
        """Name such as ``banked_4x64x8_2r1w``."""
        return f"banked_{self.banks}x{self.bank_words}x{self.bits}_{self.reads}r{self.writes}w"

    @property
    def words(self) -> int:
        """Value of the words it holds."""
        return self.banks * self.bank_words

    @property
    def row_bits(self) -> int:
        """Value of the bits of an address in a bank, at least one."""
        return max(1, (self.bank_words - 1).bit_length())

    @property
    def address_bits(self) -> int:
        """Value of the bits of an address."""
        return self.row_bits + (self.banks - 1).bit_length()

    def beat_cycles(self, read_at: IntArray, write_at: IntArray) -> IntArray:
        """Return the cycles that each beat occupies the banks.

        Parameters
        ----------
        read_at, write_at : ndarray of int, shape (beats, reads) and (beats, writes)
            Addresses, or `NO_ACCESS`.

        Returns
        -------
        ndarray of int64, shape (beats,)
            Accesses of the busiest bank, at least one.
        """
        at = np.concatenate((read_at, write_at), axis=1)
        banks = np.where(at == NO_ACCESS, -1, at % self.banks)
        load = (banks[:, :, None] == np.arange(self.banks)).sum(axis=1)
        return np.asarray(np.maximum(load.max(axis=1), 1), dtype=np.int64)

    def cycles(self, read_at: IntArray, write_at: IntArray, data: IntArray) -> int:
        """Return the time from the first beat's handshake to that of the last result, streams never stalling.

        Operands as for `golden`: the addresses decide, conflicts included.

        Examples
        --------
        >>> pad = BankedParams(4, 16, 8, reads=2, writes=1)
        >>> none = np.array([[NO_ACCESS]])
        >>> pad.cycles(np.array([[NO_ACCESS] * 2]), np.array([[4]]), np.array([[7]]))  # one write
        3
        >>> both = np.array([[NO_ACCESS, NO_ACCESS], [4, 4]])  # then two reads of one bank
        >>> pad.cycles(both, np.array([[4], [NO_ACCESS]]), np.array([[7], [0]]))
        5
        """
        reads, writes, _ = self._checked(read_at, write_at, data)
        return int(self.beat_cycles(reads, writes).sum()) + self.FIXED_CYCLES

    def result_cycles(self, read_at: IntArray, write_at: IntArray, data: IntArray) -> IntArray:
        """Return the edge of each beat's result, counted from the first beat's handshake; shape (beats,).

        Operands as for `golden`; streams never stall.
        """
        reads, writes, _ = self._checked(read_at, write_at, data)
        return np.cumsum(self.beat_cycles(reads, writes)) + self.FIXED_CYCLES

    def golden(self, read_at: IntArray, write_at: IntArray, data: IntArray) -> IntArray:
        """Return the words read.

        Parameters
        ----------
        read_at : ndarray of int, shape (beats, reads)
            Addresses, or `NO_ACCESS`. Only words that an earlier beat has written: what stood there before is unknown.
        write_at : ndarray of int, shape (beats, writes)
            Addresses, or `NO_ACCESS`.
        data : ndarray of int, shape (beats, writes)
            Words to write, each a number below ``2**bits``.

        Returns
        -------
        ndarray of int, shape (beats, reads)
            Words, zero for a port that did not ask.
        """
        reads, writes, words = self._checked(read_at, write_at, data)
        memory: dict[int, int] = {}
        result = np.zeros(reads.shape, dtype=words.dtype)
        for beat in range(len(reads)):
            for port, address in enumerate(reads[beat]):
                if address != NO_ACCESS and int(address) not in memory:
                    raise InputError(
                        f"core '{self.name}': beat {beat} reads address {address}, bound is an address written by an "
                        f"earlier beat; write it first"
                    )
                result[beat, port] = 0 if address == NO_ACCESS else memory[int(address)]
            for address, word in zip(writes[beat], words[beat], strict=True):
                if address != NO_ACCESS:
                    memory[int(address)] = int(word)
        return result

    def _checked(self, read_at: IntArray, write_at: IntArray, data: IntArray) -> tuple[IntArray, IntArray, IntArray]:
        reads, writes = np.asarray(read_at, dtype=np.int64), np.asarray(write_at, dtype=np.int64)
        words = word_array(data, self.bits, f"core '{self.name}'", "words")
        beats = reads.shape[0] if reads.ndim else 0
        if beats < 1 or reads.shape != (beats, self.reads) or {writes.shape, words.shape} != {(beats, self.writes)}:
            raise InputError(
                f"core '{self.name}': read addresses {reads.shape}, write addresses {writes.shape} and words "
                f"{words.shape}, bound is (beats, {self.reads}), (beats, {self.writes}) and the same; reshape them"
            )
        low, high = (min(reads.min(), writes.min()), max(reads.max(), writes.max()))
        if low < NO_ACCESS or high >= self.words:
            raise InputError(
                f"core '{self.name}': addresses span {low}..{high}, bound is 0..{self.words - 1}, or {NO_ACCESS} for "
                f"no access; keep them in it"
            )
        return reads, writes, words
