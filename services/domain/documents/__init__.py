"""Number, sign, file and read documents (R28, R29, R35, R37, R47)."""
