"""What people look at: the report of a run folder, and the table that a run ends with."""

from stage2.report.render import write_report
from stage2.report.terminal import table

__all__ = ["table", "write_report"]
