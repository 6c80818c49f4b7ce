"""Receive task: waits for its message."""

from services.engine.processing import lifecycle
from services.engine.processing.elements.activity import Activity
from services.engine.processing.work import At, Work


class ReceiveTask(Activity):
    def start(self, work: Work, at: At, prepared: object) -> None:
        lifecycle.activated(work, at)
