"""Open reviews, take decisions and escalate (R4, R22, R24 to R27, R34, R39, R49, R50)."""
