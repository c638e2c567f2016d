"""How much longer a search may go on."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Budget:
    """Wall time and a way to be told to stop.

    Parameters
    ----------
    seconds : float
        Wall time from now.
    stop : callable, optional
        Answers True when the best so far is wanted now (Ctrl-C).
    """

    seconds: float
    stop: Callable[[], bool] | None = None
    began: float = field(default_factory=time.monotonic)

    @property
    def elapsed_s(self) -> float:
        """Value of the wall time since the start."""
        return time.monotonic() - self.began

    @property
    def left_s(self) -> float:
        """Value of the wall time left, at least 0."""
        return max(0.0, self.seconds - self.elapsed_s)

    def spent(self) -> bool:
        """Tell whether to end now."""
        return self.left_s <= 0 or (self.stop is not None and self.stop())

    def share(self, seconds: float) -> Budget:
        """Return a budget of at most `seconds` within this one."""
        return Budget(min(seconds, self.left_s), self.stop)
