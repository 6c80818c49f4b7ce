"""The JSON API of supervision."""
