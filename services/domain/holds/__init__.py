"""Legal holds: while one is open, nothing of its case is discarded or disposed of (R67, F14, F34)."""
