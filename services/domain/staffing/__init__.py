"""Who works here: who comes and leaves by the organisation's directory, and who holds and stands in for each post."""
