"""Footage cut without re-encoding, in a confined process: ``client`` starts it, ``process`` is what runs in it."""
