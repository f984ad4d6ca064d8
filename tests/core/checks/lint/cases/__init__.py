"""A file for each lint rule that has its mistake, and the same file without it."""

from tests.core.checks.lint.cases import narrow, numbers, ops
from tests.core.checks.lint.cases.table import CASES

__all__ = ["CASES", "narrow", "numbers", "ops"]
