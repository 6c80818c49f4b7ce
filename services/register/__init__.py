"""The books: one module for each noun, with its tables, rules and queries; the audit trail."""
