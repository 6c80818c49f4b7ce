"""The demonstration: an organisation to try things with, and one application led through every step."""
