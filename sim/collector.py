"""Keep Python's cycle collector out of a run: what a run makes stays until its end, and the plan is large."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused() -> Iterator[None]:
    """Pause the collector; it is as it was afterwards.

    A run makes a record per command and keeps it. The collector would walk these and every command of the plan again
    and again and free nothing: half the time of a long run.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
