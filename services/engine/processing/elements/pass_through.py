"""Undefined and manual tasks, and parallel gateways: nothing to wait for. (Joins wait in ``lifecycle``.)"""

from services.engine.processing.elements.activity import Activity


class PassThrough(Activity):
    """Left as soon as it was entered; mappings and boundary events still count."""
