"""Keep the organisation's rules and their overrides, such as the longest use period (R49, R50)."""
