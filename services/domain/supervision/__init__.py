"""Supervision: the group, its inspections, and what auditors read of cases, footage and the trail (R60 to R64)."""
