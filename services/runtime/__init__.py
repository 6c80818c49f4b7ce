"""How every service runs: settings, logs, metrics, health, errors, clock, the engine client, the job runner."""
