"""The pairs of examples/why_events.py: equal closed forms, different event times, bounds below both."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

PATH = Path(__file__).resolve().parents[2] / "examples" / "why_events.py"


def load() -> Any:
    spec = importlib.util.spec_from_file_location("why_events", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules["why_events"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.source
@pytest.mark.parametrize("index", range(12))
def test_closed_forms_are_equal_and_event_times_differ(index: int) -> None:
    case = load().CASES[index]()
    assert case.bound_cycles[0] == case.bound_cycles[1]
    times = (case.first[1], case.second[1])
    assert min(times) >= case.bound_cycles[0]
    assert abs(times[0] - times[1]) > 0.04 * max(times), case.name
