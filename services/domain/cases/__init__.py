"""Read across all capabilities: case, inbox, register, storage office, figures (R23, R28, R30, R34, R62, R63)."""
