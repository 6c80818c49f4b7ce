"""The register of laws, standards and own rules that apply, kept by Legal in versions (R3)."""
