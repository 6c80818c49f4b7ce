"""Supervision: the group, its inspections, and what auditors read (R60 to R64)."""
