"""What people look at: the report of a run folder, and the table that a run ends with."""

from stage2.report.plain import table
from stage2.report.render import write_report

__all__ = ["table", "write_report"]
