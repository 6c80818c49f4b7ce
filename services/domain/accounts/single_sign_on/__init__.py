"""Log people in at an OpenID Connect provider."""
