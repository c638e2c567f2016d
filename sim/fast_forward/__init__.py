"""Exact fast-forward at tile level: periods of commands that repeat, skipped where the machine's state repeats."""
