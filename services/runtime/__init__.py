"""What every process needs: settings, logs, metrics, health, errors, clock, HTTP, engine client, job runner."""
