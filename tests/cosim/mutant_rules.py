"""Mistakes that someone could make in any RTL module, planted by rule: one textual edit each."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutant:
    """One edit: `old` becomes `new` on line `line` (from 1) of `module`, at its `place`-th occurrence there.

    `code` is the line, `copy` how many equal lines stand above it.
    """

    module: str
    line: int
    place: int
    rule: str
    old: str
    new: str
    code: str = ""
    copy: int = 0

    @property
    def name(self) -> str:
        """Value of a name that does not change while the line does not, wherever it moves."""
        at = "".join(f", {what} {n + 1}" for what, n in (("place", self.place), ("copy", self.copy)) if n)
        return f"{self.module}: {self.code} ({self.rule}{at})"

    def apply(self, text: str) -> str:
        """Return the module with the edit made."""
        lines = text.split("\n")
        parts = lines[self.line - 1].split(self.old)
        at = self.place + 1
        lines[self.line - 1] = self.old.join(parts[:at]) + self.new + self.old.join(parts[at:])
        return "\n".join(lines)


RULES: tuple[tuple[str, str, str], ...] = (
    ("add becomes subtract", " + ", " - "),
    ("subtract becomes add", " - ", " + "),
    ("and becomes or", " & ", " | "),
    ("or becomes and", " | ", " & "),
    ("xor becomes or", " ^ ", " | "),
    ("times becomes plus", " * ", " + "),
    ("equal becomes unequal", " == ", " != "),
    ("unequal becomes equal", " != ", " == "),
    ("less becomes less or equal", " < ", " <= "),
    ("shift direction", " << ", " >> "),
    ("dropped inversion", " ~", " "),
    ("dropped first inversion", "(~", "("),
    ("reset to one", "<= 1'b0;", "<= 1'b1;"),
    ("reset to zero", "<= 1'b1;", "<= 1'b0;"),
    ("off by one", " - 1'b1", ""),
    ("off by one", " - 1)", ")"),
    ("off by one", " - 1]", "]"),
    ("off by one", " - 1;", ";"),
    ("branches swapped", " ? '0 : ", " ? '1 : "),
    ("stuck at one", "1'b0", "1'b1"),
)
NOT_CODE = re.compile(r"^\s*(//|parameter|localparam|input|output|module|`|\.|for \()|\$fatal|begin : g_|unused")
"""Lines that rules leave alone: declarations, bounds of loops and of generated blocks (lint and the widths of the cases
check them), and checks of parameters (tested where they are made)."""
CAST = re.compile(r"\w+'\((?!\$)(\w+)(\[[^]]*\])?\)")


BRANCH = re.compile(r"\bif (\((?!rst\b)(?:[^()]|\([^()]*\))+\))")
DELAY = re.compile(r"^\s*\.DEPTH\s*\(((?!ACC_DEPTH).+)\),?$")  # of a delay line, not of a memory


def mutants_of(module: str, text: str) -> Iterator[Mutant]:
    """Yield the mutants of one module: every rule at every place of its code, one edit each."""
    seen: Counter[str] = Counter()
    for number, line in enumerate(text.split("\n"), 1):
        code = line.split("//")[0].rstrip()
        words = " ".join(code.split())
        copy = seen[words]
        seen[words] += 1
        done: set[str] = set()
        for rule, old, new, place in _edits(code, text):
            edited = Mutant(module, 1, place, rule, old, new).apply(line)
            if edited not in done:
                done.add(edited)
                yield Mutant(module, number, place, rule, old, new, words, copy)


def _edits(code: str, text: str) -> Iterator[tuple[str, str, str, int]]:
    """Yield (rule, old, new, place) of every edit of one line of `text`."""
    delay = DELAY.match(code)
    if delay:
        yield "delay one longer", f"({delay[1]})", f"(({delay[1]}) + 1)", 0
    if NOT_CODE.search(code):
        return
    for cast in CAST.finditer(code):
        if re.search(rf"\bsigned\s*\[[^]]*\]\s*{cast[1]}\b", text):  # widened with its sign
            width, inner = cast[0].split("'", 1)
            place = code[: cast.start()].count(cast[0])
            yield f"dropped sign of {cast[1]}", cast[0], f"{width}'($unsigned{inner})", place
    for branch in BRANCH.finditer(code):
        yield "condition always true", branch[0], "if (1'b1)", code[: branch.start()].count(branch[0])
    for rule, old, new in RULES:
        for place in range(code.count(old)):
            yield rule, old, new, place
