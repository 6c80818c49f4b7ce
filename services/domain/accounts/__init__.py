"""Keep people, posts, absences, sessions and passkeys, and take signatures (R2, R16, R25, R33, R52)."""
