"""Event logs for process mining: what happened in cases, as OCEL 2.0 and XES, of the register or of a simulation."""
