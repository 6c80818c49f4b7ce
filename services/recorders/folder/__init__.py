"""Recorders that are folders of files on a disk or a mount."""
