"""What each unit does over time: one generator per unit and image sequence (see `sim.pipeline.kernel`).

A unit is a rigid pipeline: when its result finds no room, the whole unit stands still and its later steps move by the
same amount.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hw_models.streaming.links import Fork, Join, Pad, StreamPool, WidthChange
from hw_models.streaming.stages import MatrixVector, SlidingWindow, Source, Stage
from hw_models.streaming.tasks import RESTART_CYCLES, DenseTask, WindowTask
from sim.pipeline.kernel import Counter, Process


@dataclass(slots=True, eq=False)
class Fifo:
    """A channel at run time: when each word was written and read.

    `depth` 0 is without limit. A word is readable one cycle after it was written, a place free one cycle after it was
    read.
    """

    name: str
    depth: int
    written: Counter
    read: Counter


@dataclass(slots=True, eq=False)
class Ports:
    """The FIFOs of one unit and its record: the cycle at which each image was done in it."""

    inputs: list[Fifo]
    outputs: list[Fifo]
    done: list[int]


def _get(fifo: Fifo, cycle: int) -> int | None:
    """Read the next word at `cycle` or later; return the cycle, None if the word is not written yet."""
    index = len(fifo.read.at)
    written = fifo.written.at
    if len(written) <= index:
        return None
    cycle = max(cycle, written[index] + 1)
    fifo.read.at.append(cycle)
    return cycle


def _put(fifo: Fifo, cycle: int) -> int | None:
    """Write a word at `cycle` or later; return the cycle, None if it is not known when there is room."""
    index = len(fifo.written.at)
    if fifo.depth and index >= fifo.depth:
        read = fifo.read.at
        if len(read) <= index - fifo.depth:
            return None
        cycle = max(cycle, read[index - fifo.depth] + 1)
    fifo.written.at.append(cycle)
    return cycle


def _word(fifo: Fifo) -> tuple[Counter, int]:
    return fifo.written, len(fifo.read.at) + 1


def _room(fifo: Fifo) -> tuple[Counter, int]:
    return fifo.read, len(fifo.written.at) - fifo.depth + 1


def _give(ports: Ports, cycle: int) -> Process:
    """Write one word to every output in the same cycle; the caller reads the cycle from the counter."""
    for fifo in ports.outputs:
        index = len(fifo.written.at)
        if fifo.depth and index >= fifo.depth:
            while len(fifo.read.at) <= index - fifo.depth:
                yield _room(fifo)
            cycle = max(cycle, fifo.read.at[index - fifo.depth] + 1)
    for fifo in ports.outputs:
        fifo.written.at.append(cycle)


def _source(stage: Source, ports: Ports, images: int) -> Process:
    clock = 0
    for _ in range(images):
        for _ in range(stage.words):
            while (put := _put(ports.outputs[0], clock)) is None:
                yield _room(ports.outputs[0])
            clock = max(clock, put) + stage.interval_cycles
        ports.done.append(clock)


def _matrix(stage: MatrixVector, ports: Ports, images: int) -> Process:
    source, sink = ports.inputs[0], ports.outputs[0] if ports.outputs else None
    clock, depth, folds = 0, stage.latency_cycles, stage.col_folds
    for _ in range(images):
        for _ in range(stage.vectors):
            for _ in range(folds):
                while (got := _get(source, clock)) is None:
                    yield _word(source)
                clock = got + 1
            for row in range(stage.row_folds):
                if row:
                    clock += folds
                if sink is not None:
                    while (put := _put(sink, clock - 1 + depth)) is None:
                        yield _room(sink)
                    clock = max(clock, put + 1 - depth)
        ports.done.append(clock - 1 + depth)


def _window_reader(stage: SlidingWindow, ports: Ports, images: int, got: Counter, freed: Counter) -> Process:
    source, clock, row_words = ports.inputs[0], 0, stage.width * stage.pixel_words
    row = 0
    for _ in range(images):
        for _ in range(stage.height):
            if row >= stage.buffer_rows:
                while len(freed.at) <= row - stage.buffer_rows:
                    yield freed, row - stage.buffer_rows + 1
                clock = max(clock, freed.at[row - stage.buffer_rows] + 1)
            for _ in range(row_words):
                while (cycle := _get(source, clock)) is None:
                    yield _word(source)
                got.at.append(cycle)
                clock = cycle + 1
            row += 1


def _window_writer(stage: SlidingWindow, ports: Ports, images: int, got: Counter, freed: Counter) -> Process:
    clock, words, pitch = 0, stage.pixel_words, stage.width * stage.pixel_words
    for image in range(images):
        base = image * stage.words_in
        for oy in range(stage.out_height):
            for ox in range(stage.out_width):
                for ky in range(stage.kernel):
                    first = base + (oy * stage.stride + ky) * pitch + ox * stage.stride * words
                    for need in range(first, first + stage.kernel * words):
                        while len(got.at) <= need:
                            yield got, need + 1
                        clock = max(clock, got.at[need] + 1)
                        if ports.outputs:
                            while (put := _put(ports.outputs[0], clock)) is None:
                                yield _room(ports.outputs[0])
                            clock = put
                        clock += 1
            last = oy == stage.out_height - 1
            done_rows = stage.height - oy * stage.stride if last else stage.stride
            freed.at.extend([clock - 1] * done_rows)
        ports.done.append(clock - 1)


def _pool(stage: StreamPool, ports: Ports, images: int) -> Process:
    clock = 0
    for _ in range(images):
        for _ in range(stage.height // stage.window):
            for _ in range(stage.window * stage.width):
                while (got := _get(ports.inputs[0], clock)) is None:
                    yield _word(ports.inputs[0])
                clock = got + 1
            for _ in range(stage.width // stage.window):
                if ports.outputs:
                    while (put := _put(ports.outputs[0], clock)) is None:
                        yield _room(ports.outputs[0])
                    clock = put
                clock += 1
        ports.done.append(clock - 1)


def _width(stage: WidthChange, ports: Ports, images: int) -> Process:
    clock = held = 0
    for _ in range(images):
        given = 0
        while given < stage.words_out:
            while held < stage.target:
                while (got := _get(ports.inputs[0], clock)) is None:
                    yield _word(ports.inputs[0])
                clock = max(clock, got) + (1 if held + stage.source < stage.target else 0)
                held += stage.source
            # A word that is complete leaves in the cycle after its last part came in, while the next part comes in.
            if ports.outputs:
                while (put := _put(ports.outputs[0], clock + 1)) is None:
                    yield _room(ports.outputs[0])
                clock = put - 1
            clock += 1
            held -= stage.target
            given += 1
        ports.done.append(clock)


def _pad(stage: Pad, ports: Ports, images: int) -> Process:
    clock = 0
    for _ in range(images):
        for y in range(-stage.before, stage.height + stage.after):
            for x in range(-stage.before, stage.width + stage.after):
                inside = 0 <= y < stage.height and 0 <= x < stage.width
                for _ in range(stage.pixel_words):
                    if inside:
                        while (got := _get(ports.inputs[0], clock)) is None:
                            yield _word(ports.inputs[0])
                        clock = got
                    if ports.outputs:
                        while (put := _put(ports.outputs[0], clock + 1)) is None:
                            yield _room(ports.outputs[0])
                        clock = put - 1
                    clock += 1
        ports.done.append(clock)


def _fork(stage: Fork, ports: Ports, images: int) -> Process:
    clock = 0
    for _ in range(images):
        for _ in range(stage.words):
            while (got := _get(ports.inputs[0], clock)) is None:
                yield _word(ports.inputs[0])
            yield from _give(ports, got + 1)
            clock = max(got, ports.outputs[0].written.at[-1] - 1) + 1
        ports.done.append(clock)


def _join(stage: Join, ports: Ports, images: int) -> Process:
    clock, depth = 0, stage.latency_cycles
    for _ in range(images):
        for _ in range(stage.words):
            start = clock
            for fifo in ports.inputs:
                while len(fifo.written.at) <= len(fifo.read.at):
                    yield _word(fifo)
                start = max(start, fifo.written.at[len(fifo.read.at)] + 1)
            for fifo in ports.inputs:
                fifo.read.at.append(start)
            clock = start + 1
            if ports.outputs:
                while (put := _put(ports.outputs[0], start + depth)) is None:
                    yield _room(ports.outputs[0])
                clock = max(clock, put + 1 - depth)
        ports.done.append(clock - 1 + depth)


def _task(stage: WindowTask | DenseTask, ports: Ports, images: int) -> Process:
    """Take a word every interval; give a result `depth_cycles` after the word that completes it; drain; restart."""
    clock, depth = 0, stage.depth_cycles
    for _ in range(images):
        for index in range(stage.words_in):
            while (got := _get(ports.inputs[0], clock)) is None:
                yield _word(ports.inputs[0])
            clock = got
            if _completes(stage, index) and ports.outputs:
                while (put := _put(ports.outputs[0], got + depth)) is None:
                    yield _room(ports.outputs[0])
                clock = max(clock, put - depth)
            clock += stage.interval_cycles
        end = clock - stage.interval_cycles + depth
        ports.done.append(end)
        clock = end + 1 + RESTART_CYCLES


def _completes(stage: WindowTask | DenseTask, index: int) -> bool:
    if isinstance(stage, DenseTask):
        return index == stage.words_in - 1
    return stage.completes(*divmod(index, stage.width))


_SIMPLE: dict[type[Stage], Callable[..., Process]] = {
    Source: _source,
    MatrixVector: _matrix,
    StreamPool: _pool,
    WidthChange: _width,
    Pad: _pad,
    Fork: _fork,
    Join: _join,
    WindowTask: _task,
    DenseTask: _task,
}


def processes_of(stage: Stage, ports: Ports, images: int) -> list[Process]:
    """Return the processes of `stage` for `images` images: two for a sliding window, one for any other."""
    if isinstance(stage, SlidingWindow):
        got = Counter(f"pixels in the line buffer of '{stage.name}'", stage.name)
        freed = Counter(f"a free row in the line buffer of '{stage.name}'", stage.name)
        return [
            _window_reader(stage, ports, images, got, freed),
            _window_writer(stage, ports, images, got, freed),
        ]
    return [_SIMPLE[type(stage)](stage, ports, images)]
