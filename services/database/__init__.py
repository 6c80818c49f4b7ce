"""The database: unit of work, engine and dialects, tables, migrations."""
