"""Tasks that nobody works on: manual tasks and those without a type."""

from services.engine.processing import lifecycle
from services.engine.processing.elements.activity import Leaf
from services.engine.processing.work import At, Work


class PassThrough(Leaf):
    """Left as soon as it was entered; as in Zeebe, its mappings and boundary events mean nothing."""

    def complete(self, work: Work, at: At) -> None:
        lifecycle.completing_child(work, at)
        lifecycle.completed(work, at)
