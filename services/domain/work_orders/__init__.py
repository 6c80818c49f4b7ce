"""Work orders and schedules: what has to be done by a date, and who verifies it (R11, R12, R15, R47, R55, R64)."""
