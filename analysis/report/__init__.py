"""A comparison, or a single run, as one HTML file that needs nothing else."""

from analysis.report.comparison import comparison_report
from analysis.report.drawn import Source
from analysis.report.single import run_report

__all__ = ["Source", "comparison_report", "run_report"]
