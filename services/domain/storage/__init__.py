"""The care of what is stored: rolling verification, repair, reconciliation of the register with what it describes."""
