"""Look up the names of elements in the deployed models; the engine knows ids only."""

from collections.abc import Iterable
from dataclasses import dataclass

from services.domain.process import engine_view
from services.domain.process.engine_view import EngineInspection
from services.runtime.errors import NotFound
from services.runtime.models import Model
from services.web.language import Language


@dataclass(frozen=True)
class Names:
    """The names in one version of a process; what has no name is shown by its id."""

    model: Model | None

    def of(self, element_id: str, language: Language) -> str:
        """Return the name of an element, or of the process itself."""
        if self.model is None:
            return element_id
        named = self.model if element_id == self.model.process_id else self.model.elements.get(element_id)
        name = getattr(named, language) if named is not None else ""
        return str(name) or element_id


async def names_of(engine: EngineInspection, definition_keys: Iterable[int]) -> dict[int, Names]:
    """Load the names of these versions, by definition key."""
    names: dict[int, Names] = {}
    for key in dict.fromkeys(definition_keys):
        try:
            names[key] = Names(await engine_view.get_model(engine, key))
        except NotFound:
            names[key] = Names(None)
    return names
