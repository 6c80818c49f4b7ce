"""Matters 事项: what is asked, decided and done about footage besides the application itself."""
