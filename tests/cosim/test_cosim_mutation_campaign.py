"""Mistakes planted by rule in every module: a sample of them in CI, all of them in the nightly profile."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from rtl.emit import emit
from tests.cosim.equivalent_mutants import EQUIVALENT
from tests.cosim.mutation import Mutant, all_mutants, campaign, digests, mutants_of, noted, table
from tilewright.cores import CoreRow

pytestmark = pytest.mark.cosim

SAMPLE = 20
"""Mutants in CI, about: every family of cores has one at least, and more by its share."""
ROOT = Path(__file__).parents[2]
RTL, TABLE = ROOT / "rtl", ROOT / "docs" / "rtl_mutants.md"


def sample() -> list[tuple[Mutant, tuple[CoreRow, ...]]]:
    """Return mutants of every family at even distances in its list, module by module; equivalents left out."""
    real = [entry for entry in all_mutants() if entry[0].name not in EQUIVALENT]
    chosen = []
    for entries in families(real).values():
        count = max(1, round(SAMPLE * len(entries) / len(real)))
        chosen += [entries[int((place + 0.5) * len(entries) / count)] for place in range(count)]
    return chosen


def families(entries: list[tuple[Mutant, tuple[CoreRow, ...]]]) -> dict[str, list[tuple[Mutant, tuple[CoreRow, ...]]]]:
    """Return `entries` by the folder of ``rtl/`` that holds the module."""
    folders = {path.name: path.parent.name for path in RTL.glob("*/*.sv")}
    found: dict[str, list[tuple[Mutant, tuple[CoreRow, ...]]]] = {}
    for entry in entries:
        found.setdefault(folders[entry[0].module], []).append(entry)
    return found


def survivors(chosen: list[tuple[Mutant, tuple[CoreRow, ...]]]) -> tuple[set[str], int]:
    """Return the names of the mutants that nothing noticed, and how many did compile."""
    found = campaign(chosen, lambda _: None)
    return {mutant.name for mutant, verdict, _ in found if verdict == "survived"}, sum(
        verdict != "invalid" for _, verdict, _ in found
    )


def test_sample_is_noticed() -> None:
    chosen = sample()
    assert len({mutant.module for mutant, _ in chosen}) >= SAMPLE * 2 // 3
    assert {"engine", "systolic", "dot", "skip", "bins", "zero_point", "topk", "fp16", "dequant", "epilogue", "fabric",
            "scratchpad"} == set(families(chosen))  # fmt: skip
    survived, valid = survivors(chosen)
    assert survived == set()
    assert valid >= SAMPLE * 3 // 4


def published_modules() -> set[str]:
    """Return the modules of the published table."""
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    return {line.split(" | ")[0].removeprefix("| ") for line in lines if ".sv |" in line}


@pytest.mark.nightly
def test_published_table_covers_every_module() -> None:
    assert published_modules() == {mutant.module for mutant, _ in all_mutants()}


@pytest.mark.nightly
def test_whole_campaign_leaves_the_justified_mutants_alone() -> None:
    survived, valid = survivors(all_mutants())
    assert survived == set(EQUIVALENT)  # neither one that nobody justified nor a justification that is out of date
    assert valid > 0.95 * len(all_mutants())


def test_names_tell_mutants_apart_and_justifications_name_mutants() -> None:
    names = [mutant.name for mutant, _ in all_mutants()]
    assert len(set(names)) == len(names) >= 1100
    assert set(EQUIVALENT) <= set(names)
    assert len(EQUIVALENT) <= 0.05 * len(names)
    assert all(len(reason) > 20 for reason in EQUIVALENT.values())


def test_every_mutant_changes_its_module_in_one_line() -> None:
    for mutant, rows in all_mutants():
        text = emit(rows[0].params)[mutant.module]
        pairs = zip(text.splitlines(), mutant.apply(text).splitlines(), strict=True)
        assert [number for number, (old, new) in enumerate(pairs, 1) if old != new] == [mutant.line]


def test_name_of_a_mutant_moves_with_its_line() -> None:
    text = "module m;\n  assign a = b & c;\n  assign a = b & c;\nendmodule\n"
    names = [mutant.name for mutant in mutants_of("m.sv", text)]
    assert names == [
        "m.sv: assign a = b & c; (and becomes or)",
        "m.sv: assign a = b & c; (and becomes or, copy 2)",
    ]
    assert [mutant.name for mutant in mutants_of("m.sv", "// new line\n" + text)] == names


def test_a_verdict_counts_while_the_text_of_its_module_stays(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    entries = [{"name": f"{m}.sv: x (rule)", "verdict": "value", "core": "core", "text": "0a"} for m in "ab"]
    log.write_text("".join(json.dumps(entry) + "\n" for entry in entries), encoding="utf-8")
    assert noted(log, {"a.sv": "0a", "b.sv": "0b"}) == {"a.sv: x (rule)": ("value", "core")}
    assert noted(log, {"b.sv": "0a"}) == {"b.sv: x (rule)": ("value", "core")}
    assert noted(tmp_path / "none", {}) == {}
    chosen = [entry for entry in all_mutants() if entry[0].module in ("tw_mac.sv", "tw_skid.sv")]
    texts = {name: (RTL / "systolic" / name).read_bytes() for name in ("tw_mac.sv", "tw_skid.sv")}
    assert digests(chosen) == {name: hashlib.sha256(text).hexdigest()[:16] for name, text in texts.items()}


def test_published_table_has_no_open_survivor() -> None:
    text = TABLE.read_text(encoding="utf-8")
    assert "NOT JUSTIFIED" not in text
    assert published_modules() <= {mutant.module for mutant, _ in all_mutants()}


def test_table_says_why_a_mutant_survived() -> None:
    mutant = next(mutant for mutant, _ in all_mutants() if mutant.name in EQUIVALENT)
    assert f"| equivalent: {EQUIVALENT[mutant.name]} | core |" in table([(mutant, "survived", "core")])
    other = Mutant("m.sv", 1, 0, "rule", "a", "b")
    assert "NOT JUSTIFIED" in table([(other, "survived", "core")])
    assert "m.sv" not in table([(other, "invalid", "core")])
