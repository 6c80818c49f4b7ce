"""Sign statements by password or by passkey (R25, R27)."""
