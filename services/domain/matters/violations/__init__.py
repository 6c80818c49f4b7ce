"""The handling of violations, from their opening to their end (R48, R51, R65 to R67)."""
