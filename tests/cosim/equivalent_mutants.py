"""Mutants that change nothing that anyone can see, each with the reason."""

EQUIVALENT: dict[str, str] = {}
