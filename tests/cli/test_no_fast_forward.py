"""``tilewright sim --no-fast-forward``: the same bytes, and where it means nothing, a refusal."""

from __future__ import annotations

import pytest

from tilewright.cli import run


@pytest.mark.parametrize("more", [[], ["--set", "dram.standard=DDR4-2400"]], ids=["fixed", "timed"])
def test_the_result_is_the_same_bytes(more: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    texts = []
    for option in ([], ["--no-fast-forward"]):
        assert run(["sim", "tiny_ad", "--arch", "edge_int8", "--json", *more, *option]) == 0
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--fidelity", "analytic"], "an analytic run steps nothing"),
        (["--arch", "quad_edge"], "--no-fast-forward, --fidelity analytic do not go with a cluster"),
    ],
)
def test_it_is_refused_where_nothing_is_stepped(
    options: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["sim", "tiny_ad", "--no-fast-forward", *options]) == 2
    assert words in capsys.readouterr().err
