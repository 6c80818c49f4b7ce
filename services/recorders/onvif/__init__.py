"""ONVIF recorders (Profile G), which can be asked only."""
