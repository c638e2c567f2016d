"""When a search has to stop: CPU seconds, or the user's interrupt."""

from __future__ import annotations

import time


class Deadline:
    """A limit in CPU seconds (None for none) that an interrupt moves to now."""

    def __init__(self, seconds: float | None = None) -> None:
        self._end = None if seconds is None else time.process_time() + seconds
        self.interrupted = False

    def interrupt(self) -> None:
        """Stop at once."""
        self.interrupted = True

    def late(self) -> bool:
        """Tell whether time is up."""
        return self.interrupted or (self._end is not None and time.process_time() > self._end)

    def left(self) -> float | None:
        """Return the CPU seconds that are left, None for no limit."""
        if self.interrupted:
            return 0.0
        return None if self._end is None else max(0.0, self._end - time.process_time())
