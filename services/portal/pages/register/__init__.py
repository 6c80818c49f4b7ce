"""The register as Security and the supervision group read it, and the overview that everybody begins with."""
