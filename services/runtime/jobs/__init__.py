"""Run job workers on pyzeebe: typed commands, leases, retries, incidents."""
