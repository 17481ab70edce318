"""What people read: the report of a run folder, tables, and sentences in two languages."""
