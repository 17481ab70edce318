"""People look at this: the report of a run folder, tables, and sentences in two languages."""
