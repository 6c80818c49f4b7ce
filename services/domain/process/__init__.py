"""Hand messages to the engine once at least (outbox, relay), and show what the engine runs."""
