"""What elements are called: the engine knows ids, the models that it was given have names in both languages."""

from collections.abc import Iterable
from dataclasses import dataclass

from services.domain.process import engine_view
from services.domain.process.engine_view import EngineInspection
from services.runtime.errors import NotFound
from services.runtime.models import Model
from services.web.language import Language


@dataclass(frozen=True)
class Names:
    """The names in one version of a process; an id stands for itself where the model has no name for it."""

    model: Model | None

    def of(self, element_id: str, language: Language) -> str:
        """What an element is called, or the process itself."""
        if self.model is None:
            return element_id
        named = self.model if element_id == self.model.process_id else self.model.elements.get(element_id)
        name = getattr(named, language) if named is not None else ""
        return str(name) or element_id


async def names_of(engine: EngineInspection, definition_keys: Iterable[int]) -> dict[int, Names]:
    """By definition key."""
    found: dict[int, Names] = {}
    for key in dict.fromkeys(definition_keys):
        try:
            found[key] = Names(await engine_view.get_model(engine, key))
        except NotFound:
            found[key] = Names(None)
    return found
