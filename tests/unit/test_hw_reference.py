"""docs/accelerators.md: its tables are those of the code, its example loads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hw_models.description import load_accelerator
from hw_models.description_paths import dotted, walk
from hw_models.description_reference import key_table, preset_table, unit_table

DOC = Path(__file__).parents[2] / "docs" / "accelerators.md"


@pytest.mark.skipif(not DOC.exists(), reason="tests run without the documentation beside them")
def test_the_page_holds_the_generated_tables() -> None:
    text = DOC.read_text(encoding="utf-8")
    for mark, table in (("units", unit_table()), ("keys", key_table()), ("presets", preset_table())):
        assert f"<!-- {mark} -->\n{table}\n<!-- end {mark} -->" in text


@pytest.mark.skipif(not DOC.exists(), reason="tests run without the documentation beside them")
def test_the_example_of_the_page_loads(tmp_path: Path) -> None:
    block = re.search(r"```yaml\n(.*?)```", DOC.read_text(encoding="utf-8"), re.DOTALL)
    assert block
    file = tmp_path / "tiny.yaml"
    file.write_text(block[1])
    assert load_accelerator(file).core.array.pes == 64


def test_every_key_is_described() -> None:
    rows = {line.split("|")[1].strip(" *"): line for line in key_table().splitlines()[2:]}
    assert set(rows) - {"sources"} == {dotted(path) for path, _ in walk()}
    assert all(line.split("|")[4].strip() for line in rows.values())
