"""The demo year: rows of a year of cases, and what they leave in the registers."""
