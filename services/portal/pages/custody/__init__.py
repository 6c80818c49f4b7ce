"""The custodian's desk: what I hold, accepting it, watching it, accounting for it, and giving it back."""
