"""When the bursts of a sequential stream leave the controller's queue, and when the next of them enter it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """A stream under way: burst `base` + k leaves at `tick` + k `step`.

    Parameters
    ----------
    queued : int
        Bursts in the queue, from `base` on.
    room : int
        Places of the queue.
    first : int
        First tick at which one may enter; after that one per tick, as long as there is a free place. A place is free
        from the tick after its burst has left.
    left : int
        Bursts of the run that have not entered.
    """

    base: int
    tick: int
    step: int
    queued: int
    room: int
    first: int
    left: int

    def leaves(self, place: int) -> int:
        """Return the tick at which burst `base` + `place` leaves."""
        return self.tick + place * self.step

    def enters(self, number: int) -> int:
        """Return the tick at which burst `base` + `queued` + `number` enters."""
        return max(self.first + number, self.leaves(self.queued + number - self.room) + 1)

    def entered(self, bursts: int) -> int:
        """Return how many have entered in the tick after `bursts` have left."""
        soonest = self.leaves(bursts - 1) + 2 - self.first
        return max(0, min(self.left, soonest, bursts + self.room - self.queued))

    def before(self, number: int) -> int:
        """Return how many can leave before burst `base` + `queued` + `number` enters."""
        return -(-(self.enters(number) - 1 - self.tick) // self.step)

    def until(self, tick: int) -> int:
        """Return how many leave, and the tick after the last of them is over, before `tick`."""
        return (tick - 2 - self.tick) // self.step + 1
