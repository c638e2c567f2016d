"""Stream fabric: FIFO, register slice and round-robin arbiter, whose results are the words they are given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hw_models.products import IntArray
from workloads.errors import InputError

MAX_BITS = 1024


def check_bits(subject: str, bits: int) -> None:
    """Refuse a width of a word outside 1..1024."""
    if not 1 <= bits <= MAX_BITS:
        raise InputError(f"{subject}: bits is {bits}, bound is 1..{MAX_BITS}; choose a width in it")


def word_array(words: IntArray, bits: int, subject: str, where: str) -> IntArray:
    """Return `words`, non-negative numbers of `bits` bits, in a type that holds them: int64, or object above 62 bits.

    Raises
    ------
    InputError
        If a word does not fit; the message names `subject`, and `where` it stands.
    """
    array = np.asarray(words, dtype=np.int64 if bits <= 62 else object)
    if array.size and (array.min() < 0 or array.max() >= 1 << bits):
        raise InputError(
            f"{subject}: {where} span {array.min()}..{array.max()}, bound is 0..2**{bits} - 1; cut or widen the words"
        )
    return array


def _rows(words: IntArray, bits: int, subject: str) -> IntArray:
    array = word_array(words, bits, subject, "words")
    if array.ndim != 2 or 0 in array.shape:
        raise InputError(f"{subject}: words {array.shape}, bound is (packets, length); reshape them")
    return array


@dataclass(frozen=True, slots=True)
class FifoParams:
    """Parameters of a synchronous FIFO of AXI4-Stream beats.

    Parameters
    ----------
    depth : int
        Beats it holds, its output register included; any number from 2 on.
    bits : int
        Of a word.

    Notes
    -----
    All outputs are registers. A beat that meets an empty FIFO goes straight to the output register and can leave at
    the edge after that of its arrival: latency 1 cycle. One beat per cycle goes in and out at any fill below full; a
    full FIFO takes the next beat one edge after it gave one.
    """

    depth: int
    bits: int

    LATENCY_CYCLES: ClassVar[int] = 1
    MAX_DEPTH: ClassVar[int] = 65536

    def __post_init__(self) -> None:
        if not 2 <= self.depth <= self.MAX_DEPTH:
            raise InputError(f"fifo: depth is {self.depth}, bound is 2..{self.MAX_DEPTH}; choose a depth in it")
        check_bits("fifo", self.bits)

    @property
    def name(self) -> str:
        """Name such as ``fifo_5x8``."""
        return f"fifo_{self.depth}x{self.bits}"

    def golden(self, words: IntArray) -> IntArray:
        """Return the words that come out: those that went in, in order.

        Parameters
        ----------
        words : ndarray of int, shape (packets, length)
            Words, each a number below ``2**bits``.

        Returns
        -------
        ndarray of int, same shape
            A copy.
        """
        return _rows(words, self.bits, f"core '{self.name}'").copy()

    def cycles(self, words: IntArray) -> int:
        """Return the time from the first beat's handshake to that of the last beat out, streams never stalling.

        Examples
        --------
        >>> FifoParams(5, 8).cycles(np.zeros((2, 3), dtype=int))
        6
        """
        return _rows(words, self.bits, f"core '{self.name}'").size - 1 + self.LATENCY_CYCLES


@dataclass(frozen=True, slots=True)
class SkidParams:
    """Parameters of a register slice: a skid buffer and an output register, which cut both directions of a stream.

    Parameters
    ----------
    bits : int
        Of a word.

    Notes
    -----
    Latency 1 cycle, one beat per cycle, two beats held while the receiver waits. The skid buffer alone (``tw_skid``,
    in front of every input of every core) cuts `ready` only and has latency 0.
    """

    bits: int

    LATENCY_CYCLES: ClassVar[int] = 1

    def __post_init__(self) -> None:
        check_bits("register slice", self.bits)

    @property
    def name(self) -> str:
        """Name such as ``skid_8``."""
        return f"skid_{self.bits}"

    def golden(self, words: IntArray) -> IntArray:
        """Return the words that come out: those that went in, in order; as for `FifoParams.golden`."""
        return _rows(words, self.bits, f"core '{self.name}'").copy()

    def cycles(self, words: IntArray) -> int:
        """Return the time from the first beat's handshake to that of the last beat out, streams never stalling."""
        return _rows(words, self.bits, f"core '{self.name}'").size - 1 + self.LATENCY_CYCLES


@dataclass(frozen=True, slots=True)
class ArbiterParams:
    """Parameters of a round-robin arbiter of AXI4-Stream inputs.

    Parameters
    ----------
    ports : int
        Inputs.
    bits : int
        Of a word.

    Notes
    -----
    The choice falls on the first beat of a packet and stands until its ``tlast``: packets are never mixed. The search
    starts behind the port that was served last, so a port that asks waits at most ``ports - 1`` packets. A cycle in
    which no port asks and no packet is under way turns the search back to port 0. Packets follow without a gap;
    latency 1 cycle.
    """

    ports: int
    bits: int

    LATENCY_CYCLES: ClassVar[int] = 1
    #: Marks of a place in a port's sequence.
    NONE: ClassVar[int] = 0
    WORD: ClassVar[int] = 1
    END: ClassVar[int] = 2

    def __post_init__(self) -> None:
        if not 1 <= self.ports <= 32:
            raise InputError(f"arbiter: ports is {self.ports}, bound is 1..32; choose a count in it")
        check_bits("arbiter", self.bits)

    @property
    def name(self) -> str:
        """Name such as ``arbiter_4x8``."""
        return f"arbiter_{self.ports}x{self.bits}"

    @property
    def port_bits(self) -> int:
        """Value of the bits of a port number, at least one."""
        return max(1, (self.ports - 1).bit_length())

    def packets(self, words: IntArray, marks: IntArray) -> list[list[list[int]]]:
        """Return the packets of each port.

        Parameters
        ----------
        words : ndarray of int, shape (ports, places)
            Words, each a number below ``2**bits``.
        marks : ndarray of int, shape (ports, places)
            0: nothing stands here, 1: a word, 2: a word that ends its packet. The last word of a port ends its packet
            whatever its mark.

        Returns
        -------
        list per port of packets, each a list of words
        """
        subject = f"core '{self.name}'"
        array, flags = word_array(words, self.bits, subject, "words"), np.asarray(marks, dtype=np.int64)
        if array.ndim != 2 or array.shape != flags.shape or array.shape[0] != self.ports:
            raise InputError(
                f"{subject}: words {array.shape} and marks {flags.shape}, bound is two equal shapes of "
                f"({self.ports}, places); reshape them"
            )
        if flags.size == 0 or flags.min() < self.NONE or flags.max() > self.END or not flags.any():
            raise InputError(f"{subject}: marks are not of 0..2 or all 0, bound is one word; mark one")
        ports: list[list[list[int]]] = []
        for row, row_marks in zip(array, flags, strict=True):
            packets: list[list[int]] = []
            open_packet = False
            for word, mark in zip(row, row_marks, strict=True):
                if mark == self.NONE:
                    continue
                if not open_packet:
                    packets.append([])
                packets[-1].append(int(word))
                open_packet = mark == self.WORD
            ports.append(packets)
        return ports

    def golden(self, words: IntArray, marks: IntArray) -> list[tuple[int, list[int]]]:
        """Return the packets in the order in which they come out when every port offers its own from the start on.

        Parameters
        ----------
        words, marks : ndarray of int, shape (ports, places)
            As for `packets`.

        Returns
        -------
        list of (port, words of a packet)

        Examples
        --------
        >>> ArbiterParams(2, 8).golden(np.array([[1, 2, 3], [4, 5, 6]]), np.array([[2, 1, 2], [1, 2, 2]]))
        [(0, [1]), (1, [4, 5]), (0, [2, 3]), (1, [6])]
        """
        ports = self.packets(words, marks)
        order: list[tuple[int, list[int]]] = []
        for turn in range(max(len(packets) for packets in ports)):
            order += [(port, packets[turn]) for port, packets in enumerate(ports) if turn < len(packets)]
        return order

    def cycles(self, words: IntArray, marks: IntArray) -> int:
        """Return the time from the first beat's handshake to that of the last beat out, streams never stalling."""
        beats = sum(len(packet) for packets in self.packets(words, marks) for packet in packets)
        return beats - 1 + self.LATENCY_CYCLES
