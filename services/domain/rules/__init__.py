"""Keep the organisation's rules and their overrides, such as the maximum use period (R49, R50)."""
