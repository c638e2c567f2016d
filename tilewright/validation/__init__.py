"""Published machines against this simulator: figures as data, one case per machine, one table."""

from __future__ import annotations

from tilewright.validation.cases import CASES, run_cases
from tilewright.validation.rows import Row

__all__ = ["CASES", "Row", "run_cases"]
