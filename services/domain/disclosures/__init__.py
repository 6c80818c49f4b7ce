"""Handing out what a disclosure has allowed: the files for people outside, and their receipt."""
