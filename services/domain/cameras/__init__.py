"""Keep cameras, recorders, their clocks, retention and reference pictures (R7 to R10, R31, R34)."""
