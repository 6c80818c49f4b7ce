"""The JSON API of the directory and of the posts."""
