"""My notices, and for administrators how notices leave the portal."""
