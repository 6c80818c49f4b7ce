"""Manage people, posts, absences, logins and signatures (R2, R16, R25, R33, R52)."""
