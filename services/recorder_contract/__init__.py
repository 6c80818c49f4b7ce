"""The contract of a kind of recorder, as tests that whoever writes one runs against his own (docs/recorders.md)."""
