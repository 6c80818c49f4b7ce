"""Take a person's signature over a statement, by password or by passkey (R25, R27)."""
