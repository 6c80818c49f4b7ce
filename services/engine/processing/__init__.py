"""Process commands; one processor for each element type."""
