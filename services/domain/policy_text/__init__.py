"""Show the organisation's policy, which the conditions of use and every application name by its version (R1)."""
