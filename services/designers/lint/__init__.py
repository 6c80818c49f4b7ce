"""Lint: what a designer has to correct before a folder of models runs, and what is only advised."""
