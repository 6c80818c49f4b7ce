"""Keep what the vault holds: masters, uploads, preservations and retrieval records (R6, R14, R29 to R35)."""
