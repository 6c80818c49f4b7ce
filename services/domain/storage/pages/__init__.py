"""The pages about storage, a module for each noun."""
