"""Append every act to a tree of hashes, sign its head, and prove and recompute it (R47, R52, R62)."""
