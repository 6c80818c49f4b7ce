"""Storage: sites, keepers, devices, media; disposal; rolling verification, repair and reconciliation."""
