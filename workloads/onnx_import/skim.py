"""Read an ONNX file without its weights: a walk over the wire format that copies the graph and skips tensor data.

Only shapes matter to a simulator, so a file of gigabytes costs a few megabytes of memory, and no reference to external
data is ever followed. The result is a smaller, valid ModelProto. Field numbers: onnx.proto (ONNX project).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO

from workloads.errors import InputError

TENSOR_KEEP_BYTES = 16 << 10
"""Tensors up to this size on the wire keep their data: they may be shapes, axes or scales."""
_NODE_KEEP_BYTES = 16 << 10
_MODEL_GRAPH, _MODEL_DROPPED = 7, (6, 14, 20)  # documentation, metadata, training graphs
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_DROPPED = 1, 5, (10, 16)
_NODE_ATTRIBUTE, _ATTRIBUTE_TENSOR = 5, 5
_TENSOR_DATA = (4, 5, 6, 7, 9, 10, 11)
_EXTERNAL_LOCATION = b"\x70\x01"  # data_location = EXTERNAL

Handler = Callable[["Skimmer", int, int], bytes]


@dataclass
class Skimmer:
    """State of one walk.

    Parameters
    ----------
    file : binary file, seekable
    path : str
        Named in errors.
    max_bytes : int
        Bound on the copied graph.
    max_fields : int
        Bound on the protobuf fields visited, so that a file of millions of tiny fields ends in time.
    """

    file: BinaryIO
    path: str
    max_bytes: int
    max_fields: int
    copied_bytes: int = field(default=0)
    fields: int = field(default=0)

    def bad(self, position: int, problem: str) -> InputError:
        """Return the error for a damaged file."""
        return InputError(
            f"model '{self.path}': byte {position}: {problem}; the file is truncated or is not an ONNX model, "
            "export it again"
        )

    def varint(self, position: int, end: int) -> tuple[int, int]:
        """Return (value, next position) of the variable-length integer at `position`."""
        self.file.seek(position)
        raw = self.file.read(min(10, end - position))
        value = 0
        for index, byte in enumerate(raw):
            value |= (byte & 0x7F) << (7 * index)
            if byte < 0x80:
                return value, position + index + 1
        raise self.bad(position, "an integer does not end")

    def take(self, start: int, end: int) -> bytes:
        """Return the bytes of a range, counted against the bound."""
        self.copied_bytes += end - start
        if self.copied_bytes > self.max_bytes:
            raise InputError(
                f"model '{self.path}': the graph without weights is over {self.max_bytes} bytes, the bound; "
                "split the model or raise max_graph_bytes"
            )
        self.file.seek(start)
        return self.file.read(end - start)

    def message(self, start: int, end: int, handlers: dict[int, Handler], dropped: tuple[int, ...] = ()) -> bytes:
        """Copy the message in a range; fields in `handlers` are rewritten, those in `dropped` are left out."""
        out = bytearray()
        position = start
        while position < end:
            self.fields += 1
            if self.fields > self.max_fields:
                raise InputError(
                    f"model '{self.path}': over {self.max_fields} protobuf fields, the bound; split the model"
                )
            tag, value_at = self.varint(position, end)
            number, wire = tag >> 3, tag & 7
            value_end = self._value_end(position, value_at, end, number, wire)
            if wire == 2:
                length, content = self.varint(value_at, end)
                if number in handlers:
                    body = handlers[number](self, content, content + length)
                    out += _encode(tag) + _encode(len(body)) + body
                elif number not in dropped or length == 0:
                    out += self.take(position, value_end)
            elif number not in dropped:
                out += self.take(position, value_end)
            position = value_end
        return bytes(out)

    def _value_end(self, position: int, value_at: int, end: int, number: int, wire: int) -> int:
        if number == 0 or wire not in (0, 1, 2, 5):
            raise self.bad(position, f"field {number} with wire type {wire} is not protobuf")
        if wire == 0:
            stop = self.varint(value_at, end)[1]
        elif wire == 2:
            length, content = self.varint(value_at, end)
            stop = content + length
        else:
            stop = value_at + (8 if wire == 1 else 4)
        if stop > end:
            raise self.bad(position, f"field {number} ends at byte {stop}, its message at byte {end}")
        return stop


def _encode(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _tensor(skimmer: Skimmer, start: int, end: int) -> bytes:
    if end - start <= TENSOR_KEEP_BYTES:
        return skimmer.take(start, end)
    return skimmer.message(start, end, {}, _TENSOR_DATA) + _EXTERNAL_LOCATION


def _attribute(skimmer: Skimmer, start: int, end: int) -> bytes:
    if end - start <= TENSOR_KEEP_BYTES:
        return skimmer.take(start, end)
    return skimmer.message(start, end, {_ATTRIBUTE_TENSOR: _tensor})


def _node(skimmer: Skimmer, start: int, end: int) -> bytes:
    if end - start <= _NODE_KEEP_BYTES:
        return skimmer.take(start, end)
    return skimmer.message(start, end, {_NODE_ATTRIBUTE: _attribute})


def _graph(skimmer: Skimmer, start: int, end: int) -> bytes:
    handlers: dict[int, Handler] = {_GRAPH_NODE: _node, _GRAPH_INITIALIZER: _tensor}
    return skimmer.message(start, end, handlers, _GRAPH_DROPPED)


def skim(file: BinaryIO, path: str, size_bytes: int, max_bytes: int, max_fields: int = 2_000_000) -> bytes:
    """Return the serialised model of an open file with the data of every large tensor left out.

    Raises
    ------
    InputError
        If the file is truncated, is not protobuf, or its graph is over the bounds.
    """
    skimmer = Skimmer(file, path, max_bytes, max_fields)
    return skimmer.message(0, size_bytes, {_MODEL_GRAPH: _graph}, _MODEL_DROPPED)
