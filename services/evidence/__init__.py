"""The evidence package: what a case has, collected and sealed for somebody who does not know us (docs/evidence.md)."""
