"""Keep footage: sealing, keys, object storage, labels."""
