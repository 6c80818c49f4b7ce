"""Run the steps of the process: one module for each job type, named after it."""
