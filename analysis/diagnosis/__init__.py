"""Why two runs differ: the first diverging spike, and the cause, from evidence."""

from analysis.diagnosis.engine import diagnose
from analysis.diagnosis.findings import (
    Cause,
    Diagnosis,
    DivergenceWindow,
    Finding,
    FirstDivergence,
)

__all__ = ["Cause", "Diagnosis", "DivergenceWindow", "Finding", "FirstDivergence", "diagnose"]
