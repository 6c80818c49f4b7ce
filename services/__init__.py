"""Footage Desk: an organisation's rules for retrieving video recordings, run as BPMN."""
