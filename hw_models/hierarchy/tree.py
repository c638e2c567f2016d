"""A hierarchy of memories around an array of multipliers, as the general layer mapper sees it.

Levels are listed from the outermost (DRAM) to the innermost (registers). The multipliers stand on a grid of named
axes; each level *serves* some of them: one instance feeds all positions along a served axis, and there is one
instance per position of the other axes. A tree in which a fan-out stands between two levels is the case where the
axes served shrink from level to level; memories of different tensors may also serve different axes (a row bus and a
column bus).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from math import prod
from typing import Literal, TypeVar

from workloads.errors import InputError
from workloads.nearest import nearest

Direction = Literal["fh", "tl", "fl", "th"]
DIRECTIONS: tuple[Direction, ...] = ("fh", "tl", "fl", "th")
"""Fill from the higher level, read to the lower, update from the lower, write back to the higher."""


def _refuse(subject: str, what: str, value: object, bound: str, remedy: str) -> InputError:
    return InputError(f"{subject}: {what} is {value}, bound is {bound}; {remedy}")


@dataclass(frozen=True, slots=True)
class Port:
    """A port of a level and the transfers that share it.

    Parameters
    ----------
    max_bits, min_bits : Fraction
        Bits per cycle; a transfer moves whole multiples of `min_bits` and at most `max_bits` in a cycle.
    carries : tuple of (role, direction)
        Transfers on this port. A transfer that is on several ports of a level is spread over all of them.
    """

    name: str
    max_bits: Fraction
    carries: tuple[tuple[str, Direction], ...]
    min_bits: Fraction = Fraction(1)

    def __post_init__(self) -> None:
        subject = f"port '{self.name}'"
        if self.max_bits <= 0:
            raise _refuse(subject, "max_bits", self.max_bits, "> 0 bits per cycle", "raise it")
        if not 0 < self.min_bits <= max(self.max_bits, Fraction(1)):
            raise _refuse(subject, "min_bits", self.min_bits, f"> 0 and <= max_bits ({self.max_bits})", "lower it")
        if not self.carries or len(set(self.carries)) != len(self.carries):
            raise _refuse(subject, "carries", list(self.carries), "one or more distinct transfers", "correct the list")
        for _, direction in self.carries:
            if direction not in DIRECTIONS:
                raise _refuse(subject, "direction", repr(direction), ", ".join(DIRECTIONS), "choose one")


@dataclass(frozen=True, slots=True)
class Level:
    """One memory of the hierarchy.

    Parameters
    ----------
    capacity_bits : int or None
        Bits of one instance, shared by the tensors held; None for no bound.
    parts_bits : tuple of (role, int)
        Bits of one instance kept for one tensor; such a tensor takes nothing of `capacity_bits`.
    serves : tuple of str
        Axes along which one instance is shared.
    keep, may_keep : tuple of str
        Roles that must be held here, and that may be; every other role bypasses the level.
    ports : tuple of Port
        Where a transfer has no port, its bandwidth is not bounded.
    read_pj, write_pj : Fraction
        Energy of one access of `access_bits`.
    access_bits : int
        Width that an energy figure is for.
    rounded_access : bool
        True: a tile is moved in whole accesses of the port's `min_bits`; False: energy in proportion to bits.
    buffers : int
        Copies of each tile that must fit (2: a tile is filled while the other is read).
    banks : int
        Tensors sharing the capacity take whole banks; 1 for no rounding.
    multicast : tuple of str or None
        Roles of which one read feeds all children that want the same word; None for all.
    reduces : bool
        Partial sums of children that belong together are added before they reach this level.
    """

    name: str
    serves: tuple[str, ...]
    keep: tuple[str, ...]
    may_keep: tuple[str, ...] = ()
    capacity_bits: int | None = None
    parts_bits: tuple[tuple[str, int], ...] = ()
    ports: tuple[Port, ...] = ()
    read_pj: Fraction = Fraction(0)
    write_pj: Fraction = Fraction(0)
    access_bits: int = 1
    rounded_access: bool = False
    buffers: int = 1
    banks: int = 1
    multicast: tuple[str, ...] | None = None
    reduces: bool = True

    def __post_init__(self) -> None:
        subject = f"level '{self.name}'"
        if not self.keep and not self.may_keep:
            raise _refuse(subject, "keep", "empty", "one or more roles in keep or may_keep", "name what it holds")
        both = set(self.keep) & set(self.may_keep)
        if both:
            raise _refuse(subject, "may_keep", sorted(both), "roles that are not in keep", "list each role once")
        if self.capacity_bits is not None and self.capacity_bits < 1:
            raise _refuse(subject, "capacity_bits", self.capacity_bits, ">= 1", "raise it")
        for role, bits in self.parts_bits:
            if role not in self.roles:
                raise _refuse(subject, "parts_bits", repr(role), f"one of {list(self.roles)}", "correct the role")
            if bits < 1:
                raise _refuse(subject, f"parts_bits[{role}]", bits, ">= 1", "raise it")
        if self.read_pj < 0 or self.write_pj < 0:
            raise _refuse(subject, "energy", min(self.read_pj, self.write_pj), ">= 0 pJ", "correct it")
        if self.access_bits < 1 or self.banks < 1 or self.buffers not in (1, 2):
            raise InputError(
                f"{subject}: access_bits {self.access_bits}, banks {self.banks}, buffers {self.buffers}; "
                "bounds are >= 1, >= 1, and 1 or 2; correct them"
            )
        if self.banks > 1 and (self.capacity_bits is None or self.capacity_bits % self.banks):
            raise _refuse(
                subject, "banks", self.banks, f"a divisor of capacity_bits ({self.capacity_bits})", "change it"
            )

    @property
    def roles(self) -> tuple[str, ...]:
        """Value of the roles that can be held here."""
        return (*self.keep, *self.may_keep)

    def room_bits(self, role: str) -> int | None:
        """Return the bits that `role` alone may take, None for no bound."""
        return dict(self.parts_bits).get(role, self.capacity_bits)

    def casts(self, role: str) -> bool:
        """Tell whether one read of `role` feeds several children."""
        return self.multicast is None or role in self.multicast


@dataclass(frozen=True, slots=True)
class ArrayAxis:
    """One axis of the multiplier grid.

    Parameters
    ----------
    size : int
        Positions.
    dims : tuple of str or None
        Loop dimensions that may be unrolled here; None for any.
    forced : tuple of (str, int)
        Unrolling that must be used (the factor is cut to the dimension's size); empty for a free choice.
    max_dims : int or None
        Dimensions that may share the axis.
    min_used : int
        Positions that must be used, as far as the layer's divisors allow it; 1 for no demand.
    systolic : bool
        Operands pass from position to position: one cycle of fill per position used.
    """

    name: str
    size: int
    dims: tuple[str, ...] | None = None
    forced: tuple[tuple[str, int], ...] = ()
    max_dims: int | None = None
    min_used: int = 1
    systolic: bool = False

    def __post_init__(self) -> None:
        subject = f"axis '{self.name}'"
        if self.size < 1:
            raise _refuse(subject, "size", self.size, ">= 1", "raise it")
        if not 1 <= self.min_used <= self.size:
            raise _refuse(subject, "min_used", self.min_used, f"1..{self.size}", "lower it")
        if self.max_dims is not None and self.max_dims < 1:
            raise _refuse(subject, "max_dims", self.max_dims, ">= 1", "raise it")
        if prod(factor for _, factor in self.forced) > self.size:
            raise _refuse(subject, "forced", dict(self.forced), f"a product <= {self.size}", "lower a factor")
        if any(factor < 1 for _, factor in self.forced):
            raise _refuse(subject, "forced", dict(self.forced), "factors >= 1", "correct them")
        if len({dim for dim, _ in self.forced}) != len(self.forced):
            raise _refuse(subject, "forced", list(self.forced), "one factor per dimension", "merge them")

    def allows(self, dim: str) -> bool:
        """Tell whether `dim` may be unrolled here."""
        return self.dims is None or dim in self.dims


@dataclass(frozen=True, slots=True)
class Multiplier:
    """The multipliers.

    Parameters
    ----------
    mac_pj : Fraction
        Energy of one MAC.
    latency_cycles : int
        Cycles from operands to sum, added once.
    skips : tuple of str
        Roles whose zeros take no cycle (density below 1 shortens the computation).
    gates : tuple of str
        Roles whose zeros take a cycle but no MAC energy.
    """

    mac_pj: Fraction = Fraction(0)
    latency_cycles: int = 0
    skips: tuple[str, ...] = ()
    gates: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.mac_pj < 0 or self.latency_cycles < 0:
            raise InputError(
                f"multiplier: mac_pj {self.mac_pj}, latency_cycles {self.latency_cycles}; bound is >= 0; correct them"
            )


@dataclass(frozen=True)
class MemoryTree:
    """A machine for the general layer mapper.

    Parameters
    ----------
    axes : tuple of ArrayAxis
        Grid of multipliers; empty for a single one.
    levels : tuple of Level
        Outermost first. The outermost holds every role, serves every axis and has no capacity bound that counts.
    area : Fraction
        In any unit, for the area-delay objective; 0 where it is not known.
    source : str
        Where the figures come from.
    precision_bits : tuple of int
        Bits of an input, a weight, a partial sum and a finished output where a layer does not say.
    """

    name: str
    axes: tuple[ArrayAxis, ...]
    levels: tuple[Level, ...]
    multiplier: Multiplier = field(default_factory=Multiplier)
    area: Fraction = Fraction(0)
    source: str = ""
    precision_bits: tuple[int, int, int, int] = (8, 8, 24, 8)

    def __post_init__(self) -> None:
        subject = f"hierarchy '{self.name}'"
        if not self.levels:
            raise _refuse(subject, "levels", "empty", "one or more levels", "add DRAM")
        for label, names in (("axes", [a.name for a in self.axes]), ("levels", [x.name for x in self.levels])):
            if len(set(names)) != len(names):
                raise _refuse(subject, label, names, "distinct names", "rename one")
        known = {axis.name for axis in self.axes}
        for level in self.levels:
            for name in level.serves:
                if name not in known:
                    raise InputError(
                        f"{subject}: level '{level.name}' serves axis '{name}'{nearest(name, sorted(known))}; "
                        f"axes are {sorted(known)}"
                    )
            for port in level.ports:
                for role, _ in port.carries:
                    if role not in level.roles:
                        raise InputError(
                            f"{subject}: port '{port.name}' of level '{level.name}' carries '{role}', the level holds "
                            f"{list(level.roles)}; correct the role"
                        )
        if any(bits < 1 for bits in self.precision_bits):
            raise _refuse(subject, "precision_bits", list(self.precision_bits), ">= 1", "raise them")
        self._check_chains(subject)

    def _check_chains(self, subject: str) -> None:
        """Check that every role starts at the outermost level and that served axes only shrink on the way in."""
        top = self.levels[0]
        if set(top.serves) != {axis.name for axis in self.axes}:
            raise InputError(
                f"{subject}: outermost level '{top.name}' serves {list(top.serves)}, bound is every axis; add the rest"
            )
        for role in self.roles:
            if role not in top.keep:
                raise InputError(
                    f"{subject}: outermost level '{top.name}' does not keep '{role}'; everything starts and ends there"
                )
            served = set(top.serves)
            for level in self.levels[1:]:
                if role in level.roles:
                    if not set(level.serves) <= served:
                        raise InputError(
                            f"{subject}: level '{level.name}' serves {list(level.serves)}, the level outside it that "
                            f"holds '{role}' serves {sorted(served)}; an inner level serves no more axes"
                        )
                    served = set(level.serves)

    @property
    def roles(self) -> tuple[str, ...]:
        """Value of the roles that some level holds, in order of first mention."""
        return tuple(dict.fromkeys(role for level in self.levels for role in level.roles))

    @property
    def multipliers(self) -> int:
        """Value of the number of multipliers."""
        return prod(axis.size for axis in self.axes)

    def axis(self, name: str) -> ArrayAxis:
        """Return the axis called `name`."""
        return _named(f"hierarchy '{self.name}'", "axis", name, self.axes)

    def level(self, name: str) -> Level:
        """Return the level called `name`."""
        return _named(f"hierarchy '{self.name}'", "level", name, self.levels)

    def instances(self, level: Level) -> int:
        """Return how many instances of `level` there are."""
        return prod(axis.size for axis in self.axes if axis.name not in level.serves)


_T = TypeVar("_T", ArrayAxis, Level)


def _named(subject: str, kind: str, name: str, items: Iterable[_T]) -> _T:
    names = []
    for item in items:
        if item.name == name:
            return item
        names.append(item.name)
    raise InputError(f"{subject}: no {kind} '{name}'{nearest(name, names)}; there are {names}")
