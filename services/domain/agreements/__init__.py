"""Publish confidentiality agreements, and have people sign and renew them (R59)."""
