"""Where footage is kept: sealing, keys, object storage, labels."""
