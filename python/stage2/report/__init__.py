"""What people look at: the report of a run folder, tables, and sentences in two languages."""
