"""Hikvision recorders and cameras, through ISAPI."""
