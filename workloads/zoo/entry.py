"""What a family module states about each of its networks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from workloads.network import Network


@dataclass(frozen=True, slots=True)
class Entry:
    """A network of the zoo.

    Parameters
    ----------
    name : str
        Name to load it by.
    summary, source : str
        One line what it is, and where its shapes come from.
    build : callable
        Makes the network; its keyword arguments, all with defaults, are the parameters a user may give.
    """

    name: str
    summary: str
    source: str
    build: Callable[..., Network]
