"""Benchmarks of sealing, relay and register: each beside a peer that does the bare work on the same machine."""
