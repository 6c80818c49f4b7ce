"""One module for each job type, named after it."""
