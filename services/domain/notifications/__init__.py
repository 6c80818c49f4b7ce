"""Send notices in the portal, by mail and to webhooks, and follow their delivery (R30, R51)."""
