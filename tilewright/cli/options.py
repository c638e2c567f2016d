"""Options that several verbs share, and how they print."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from workloads.errors import InputError
from workloads.whole_file import write_whole

F = TypeVar("F", bound=Callable[..., Any])


def common(function: F) -> F:
    """Add ``--json``, ``-o``, ``--seed`` and ``--debug``."""
    for option in (
        click.option("--debug", is_flag=True, help="Show a traceback on errors."),
        click.option(
            "--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Seed of every random draw."
        ),
        click.option(
            "-o", "output", type=click.Path(path_type=Path), default=None, help="Directory, or .json file, to write to."
        ),
        click.option("--json", "as_json", is_flag=True, help="Machine output on stdout, nothing else there."),
    ):
        function = option(function)
    return function


def set_option(function: F) -> F:
    """Add ``--set``."""
    return click.option(
        "--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Override a leaf of the description."
    )(function)


def arch_options(function: F) -> F:
    """Add ``--arch`` and ``--set``."""
    arch = click.option("--arch", default="edge_int8", show_default=True, help="Preset name or description file.")
    return arch(set_option(function))


def dim_options(function: F) -> F:
    """Add ``--dim NAME=VALUE`` for symbolic dimensions and workload parameters."""
    return click.option(
        "--dim",
        "dims",
        multiple=True,
        metavar="NAME=VALUE",
        help="Value of a symbolic dimension or workload parameter.",
    )(function)


def parse_dims(items: tuple[str, ...]) -> dict[str, int]:
    """Read ``NAME=VALUE`` pairs with positive integer values."""
    dims: dict[str, int] = {}
    for item in items:
        name, separator, value = item.partition("=")
        if not separator or not name or not value.isdecimal() or int(value) < 1:
            raise InputError(f"--dim '{item}': expected NAME=VALUE with an integer value >= 1, for example batch=1")
        if name in dims:
            raise InputError(f"--dim '{name}' is given twice ({dims[name]} and {value}); keep one")
        dims[name] = int(value)
    return dims


def emit_json(value: object) -> None:
    """Write `value` as JSON to stdout."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def file_target(output: Path | None, name: str) -> Path | None:
    """Return the file that ``-o`` means: itself, or `name` in it if it is a directory or is to be one (no suffix)."""
    if output is None or not (output.is_dir() or (not output.suffix and not output.exists())):
        return output
    if not output.exists():
        if not output.parent.is_dir():
            raise InputError(f"output '{output}': directory '{output.parent}' does not exist; make it first")
        output.mkdir()
    return output / name


def checked_target(output: Path | None, name: str) -> Path | None:
    """Return `file_target`, refused before anything is computed if it cannot be written."""
    target = file_target(output, name)
    if target is not None and not target.parent.is_dir():
        raise InputError(f"output '{target}': directory '{target.parent}' does not exist; make it first")
    return target


def save_json(output: Path | None, name: str, value: object) -> None:
    """Write `value` where ``-o`` says, if it does; `name` is the file in a directory."""
    target = checked_target(output, name)
    if target is not None:
        write_whole(target, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def note(text: str) -> None:
    """Write a line for a person to stderr, which keeps stdout clean."""
    sys.stderr.write(text + "\n")


def say(text: str = "") -> None:
    """Write a line to stdout."""
    sys.stdout.write(text + "\n")
