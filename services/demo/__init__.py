"""The demonstration: an organisation to try things with, and a walk of one application through every step."""
