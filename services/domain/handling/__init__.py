"""How footage of each confidentiality level is handled: what the register enforces, and what people are told (R56)."""
