"""The organisation's OpenID Connect provider: people sign in there, and come back with its word (docs/sign-in.md)."""
