"""Measure sealing, relay, database and engine, each beside a peer that does the bare work on the same machine."""
