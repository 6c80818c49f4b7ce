"""What the policy is about: one package for each capability, all with the same file names (docs/architecture.md)."""
