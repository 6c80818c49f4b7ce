"""Supervision: what supervisors read of the policy, of cases, of footage and of the audit trail (R60 to R64)."""
