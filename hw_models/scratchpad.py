"""Scratchpads: banks that several ports share, and a feature map that is read shifted by address."""

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


@dataclass(frozen=True, slots=True)
class ShiftReadParams:
    """Parameters of a scratchpad that holds a feature map and reads it shifted (shift layers of FE-Net, CVPR 2019).

    Parameters
    ----------
    words : int
        Words it holds: rows x columns x channels of the greatest map.
    bits : int
        Of a word.
    coordinate_bits : int
        Of a row or column number, sign included: sides of maps and results are below ``2**(coordinate_bits - 1)``.

    Notes
    -----
    A map is stored channel by channel within a position, position by position within a row. A pass is one kernel tap:
    an offset that is added to the address of every output position, so a K x K convolution reads the map K * K times,
    shifted, and a shift layer reads each channel once with its own offset. Positions outside of the map give the zero
    point and are not read. One word per cycle, also from pass to pass.
    """

    words: int
    bits: int
    coordinate_bits: int = 8

    #: From the last word of the map: take the pass, read, choose word or zero point, hand over.
    FIXED_CYCLES: ClassVar[int] = 3
    #: Columns of a row of `passes`.
    FIELDS: ClassVar[tuple[str, ...]] = (
        "out_h", "out_w", "dy", "dx", "stride", "first_channel", "channels", "zero",
    )  # fmt: skip

    def __post_init__(self) -> None:
        if not 1 <= self.words <= MAX_WORDS:
            raise InputError(f"shift read: words is {self.words}, bound is 1..{MAX_WORDS}; choose a size in it")
        if not 1 <= self.bits <= 62:
            raise InputError(f"shift read: bits is {self.bits}, bound is 1..62; choose a width in it")
        if not 3 <= self.coordinate_bits <= 16:
            raise InputError(
                f"shift read: coordinate_bits is {self.coordinate_bits}, bound is 3..16; choose a width in it"
            )

    @property
    def name(self) -> str:
        """Name such as ``shift_read_64x8``."""
        return f"shift_read_{self.words}x{self.bits}"

    @property
    def address_bits(self) -> int:
        """Value of the bits of an address, at least one."""
        return max(1, (self.words - 1).bit_length())

    def cycles(self, feature_map: IntArray, passes: IntArray) -> int:
        """Return the time from the first word of the map to the last word read, streams never stalling.

        Parameters
        ----------
        feature_map, passes : ndarray of int
            As for `golden`; shapes decide, not values: border words take a cycle like others.

        Examples
        --------
        >>> core = ShiftReadParams(64, 8)
        >>> core.cycles(np.zeros((4, 4, 2), dtype=int), np.array([[4, 4, 0, 0, 1, 0, 2, 0]]))
        67
        """
        array, rows = self._checked(feature_map, passes)
        return array.size - 1 + int((rows[:, 0] * rows[:, 1] * rows[:, 6]).sum()) + self.FIXED_CYCLES

    def reads(self, feature_map: IntArray, passes: IntArray) -> int:
        """Return the words that are read from the memory: those of positions inside the map."""
        array, rows = self._checked(feature_map, passes)
        count = 0
        for out_h, out_w, dy, dx, stride, _, channels, _ in rows:
            inside = [
                int(np.count_nonzero((at >= 0) & (at < side)))
                for at, side in ((np.arange(out_h) * stride + dy, array.shape[0]),
                                 (np.arange(out_w) * stride + dx, array.shape[1]))
            ]  # fmt: skip
            count += inside[0] * inside[1] * int(channels)
        return count

    def golden(self, feature_map: IntArray, passes: IntArray) -> list[IntArray]:
        """Return what each pass reads: the map padded with the zero point, shifted, strided and cut.

        Parameters
        ----------
        feature_map : ndarray of int, shape (rows, columns, channels)
            Words, each a number below ``2**bits``.
        passes : ndarray of int, shape (passes, 8)
            Per pass the `FIELDS`: output position (i, j) is the map's (i * stride + dy, j * stride + dx).

        Returns
        -------
        list of ndarray of int64, shape (out_h, out_w, channels)
        """
        array, rows = self._checked(feature_map, passes)
        height, width, _ = array.shape
        results = []
        for out_h, out_w, dy, dx, stride, first, channels, zero in rows:
            y, x = np.arange(out_h) * stride + dy, np.arange(out_w) * stride + dx
            sides = ((max(0, -y.min()), max(0, y.max() - height + 1)), (max(0, -x.min()), max(0, x.max() - width + 1)))
            wide = np.pad(array, (*sides, (0, 0)), constant_values=zero)
            results.append(wide[np.ix_(y + sides[0][0], x + sides[1][0], np.arange(first, first + channels))])
        return results

    def _checked(self, feature_map: IntArray, passes: IntArray) -> tuple[IntArray, IntArray]:
        subject = f"core '{self.name}'"
        array, rows = word_array(feature_map, self.bits, subject, "words"), np.asarray(passes, dtype=np.int64)
        if array.ndim != 3 or 0 in array.shape or rows.ndim != 2 or rows.shape[1] != len(self.FIELDS) or not len(rows):
            raise InputError(
                f"{subject}: map {array.shape} and passes {rows.shape}, bound is (rows, columns, channels) and "
                f"(passes, {len(self.FIELDS)}); reshape them"
            )
        if array.size > self.words:
            raise InputError(f"{subject}: map needs {array.size} words, bound is {self.words}; tile it or raise words")
        word_array(rows[:, 7], self.bits, subject, "zero points")
        limit = (1 << (self.coordinate_bits - 1)) - 1
        height, width, depth = array.shape
        for number, (out_h, out_w, dy, dx, stride, first, channels, _) in enumerate(rows):
            ends = [int(start + (count - 1) * stride) for start, count in ((dy, out_h), (dx, out_w))]
            bounds = (("rows", height, 1), ("columns", width, 1), ("out_h", out_h, 1), ("out_w", out_w, 1),
                      ("stride", stride, 1), ("dy", dy, -limit - 1), ("dx", dx, -limit - 1),
                      ("last row", ends[0], -limit - 1), ("last column", ends[1], -limit - 1))  # fmt: skip
            for key, value, least in bounds:
                if not least <= value <= limit:
                    raise InputError(
                        f"{subject}: pass {number}: {key} is {value}, bound is {least}..{limit}; "
                        f"tile it or raise coordinate_bits"
                    )
            if not 0 <= first < first + channels <= depth:
                raise InputError(
                    f"{subject}: pass {number}: channels {first}..{first + channels - 1}, bound is 0..{depth - 1}; "
                    f"keep them in it"
                )
        return array, rows
