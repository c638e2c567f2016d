"""How many random cases a property is tried on: a quick number in CI, many in the nightly profile."""

from __future__ import annotations

import os

NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
NIGHTLY_FACTOR = 20


def examples(quick: int) -> int:
    """Return the number of examples of a property that takes `quick` of them in CI."""
    return quick * NIGHTLY_FACTOR if NIGHTLY else quick
