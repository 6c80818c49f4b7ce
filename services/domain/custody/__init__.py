"""Issue copies, show them, log custody, and take them back (R35 to R51, R55, R57)."""
