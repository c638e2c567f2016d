"""Hostile and mistaken YAML: refused with file and line, never a traceback, never a silent reinterpretation."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.description import load_accelerator
from hw_models.yaml_edge import MAX_BYTES, parse_yaml, read_yaml
from tests.reference.profile import examples
from workloads.errors import InputError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("yes", "yes"),
        ("off", "off"),
        ("y", "y"),
        ("True", True),
        ("false", False),
        ("~", None),
        ("", None),
        ("10", 10),
        ("-3", -3),
        ("0", 0),
        ("0x1F", 31),
        ("0o17", 15),
        ("0b11", "0b11"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("190:20:30", "190:20:30"),
        ("1e-9", 1e-9),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1.", 1.0),
        ("2026-01-02", "2026-01-02"),
        ("'12'", "12"),
        ('"no"', "no"),
        ("<<", "<<"),
        ("=", "="),
        ("64KiB", "64KiB"),
    ],
)
def test_scalars_follow_yaml_1_2(text: str, value: object) -> None:
    got = parse_yaml(f"a: {text}", "f").tree["a"]
    assert got == value
    assert type(got) is type(value)


BAD = {
    "octal or decimal": ("a: 1\nb: 010", "f:2: value is 010, read as octal by some tools; write 10 or quote it"),
    "leading zero, signed": ("a: -007", "write 7 or quote it"),
    "duplicate key": ("a: 1\nb: 2\na: 3", "f:3: key 'a' is given twice (first on line 1)"),
    "nested duplicate key": ("a:\n  b: 1\n  b: 2", "f:3: key 'b' is given twice"),
    "alias": ("a: &x 1\nb: *x", "anchor '&x' is not accepted"),
    "alias bomb": ("a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]", "f:1: anchor"),
    "alias alone": ("a: *x", "f:1: alias '*x' is not accepted"),
    "merge key": ("a: {x: 1}\nb:\n  <<: *a", "alias"),
    "python tag": (
        "a: !!python/object/apply:os.system [true]",
        "tag 'tag:yaml.org,2002:python/object/apply:os.system'",
    ),
    "own tag": ("a: !Container {}", "tag '!Container' is not accepted"),
    "standard tag": ("a: !!str 5", "tag"),
    "nan": ("a: .nan", "value is .nan, a finite number"),
    "infinity": ("a:\n  - -.inf", "f:2: value is -.inf"),
    "float overflow": ("a: 1e400", "too large for a number"),
    "long integer": ("a: " + "9" * 400, "number has 400 characters, bound is 40"),
    "depth": ("[" * 40 + "]" * 40, "nested deeper than 32"),
    "depth, mapping": ("".join("  " * i + "a:\n" for i in range(40)), "nested deeper than 32"),
    "many values": ("[" + "1," * 30_000 + "]", "more than 20000 values"),
    "integer key": ("1: a", "key is not text"),
    "null key": ("~: a", "key is not text"),
    "list key": ("? [a]\n: b", "key is not text"),
    "two documents": ("a: 1\n---\nb: 2", "not valid YAML"),
    "unclosed": ("a: [1, 2", "not valid YAML"),
    "tab": ("a:\n\tb: 1", "f:2: not valid YAML"),
    "control character": ("a: \x01", "not valid YAML"),
    "empty": ("", "is empty"),
    "comment only": ("# nothing", "is empty"),
}


@pytest.mark.parametrize("case", BAD)
def test_refused(case: str) -> None:
    text, message = BAD[case]
    with pytest.raises(InputError) as caught:
        parse_yaml(text, "f")
    assert message in str(caught.value)
    assert str(caught.value).startswith("f:")


@pytest.mark.parametrize("case", BAD)
def test_refused_as_a_description_too(case: str, tmp_path: Path) -> None:
    file = tmp_path / "arch.yaml"
    file.write_text(BAD[case][0])
    with pytest.raises(InputError, match=r"arch\.yaml"):
        load_accelerator(file)


@pytest.mark.parametrize("text", ["[1, 2]", "just text", "3", "name: [a]\nclocks: 4\ncores: [1, {}]\ndram: {}", "{}"])
def test_trees_of_the_wrong_shape(text: str, tmp_path: Path) -> None:
    file = tmp_path / "arch.yaml"
    file.write_text(text)
    with pytest.raises(InputError, match=r"arch\.yaml"):
        load_accelerator(file)
    with pytest.raises(InputError, match=r"--set|arch\.yaml"):
        load_accelerator(file, ["core.rows=4"])


def test_line_numbers_of_keys() -> None:
    document = parse_yaml("a: 1\nb:\n  - c: 2\n  - d:\n      e: 3", "f")
    assert document.where(("b", 1, "d", "e")) == "f:5"
    assert document.where(("b", 0, "c")) == "f:3"
    assert document.where(("b", 1, "missing")) == "f:4"


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    big = tmp_path / "big.yaml"
    big.write_bytes(b"a: " + b"x" * MAX_BYTES)
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\x00a")
    for file, message in [
        (big, f"bound is {MAX_BYTES}"),
        (binary, "is not UTF-8"),
        (tmp_path / "none.yaml", "cannot be read"),
        (tmp_path, "cannot be read"),
    ]:
        with pytest.raises(InputError, match=message):
            read_yaml(file)


def test_hostile_text_is_refused_quickly() -> None:
    start = time.process_time()
    for text in ("[" * 500_000, "{" * 500_000, "- " * 300_000, "a: " * 200_000, "*" * 500_000, "[1," * 100_000):
        with pytest.raises(InputError):
            parse_yaml(text, "f")
    assert time.process_time() - start < 20


@settings(max_examples=examples(300))
@given(st.text(alphabet="ab:-[]{},&*!|>'\"#%@? \n\t01.~<=\\", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(InputError):
        parse_yaml(text, "f")
