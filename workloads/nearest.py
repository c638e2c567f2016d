"""The nearest valid name, for error messages (§3.6)."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``; did you mean 'x'?`` for the known name closest to `name`, or an empty string.

    Examples
    --------
    >>> nearest("resnet51", ["resnet50", "vgg16"])
    "; did you mean 'resnet50'?"
    """
    from difflib import get_close_matches  # only paid for when a message is made

    found = get_close_matches(name, sorted(known), n=1, cutoff=0.5)
    return f"; did you mean '{found[0]}'?" if found else ""
