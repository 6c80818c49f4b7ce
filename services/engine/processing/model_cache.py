"""Cache parsed processes and decisions."""

from collections import OrderedDict
from typing import TypeVar

from services.engine.model.bpmn import Process
from services.engine.model.decisions import DecisionRequirements
from services.engine.model.dmn import parse_dmn
from services.engine.model.parse import parse_bpmn
from services.engine.state.decisions import RequirementsVersion
from services.engine.state.protocol import Store

_MAX_CACHED = 200

CachedModel = TypeVar("CachedModel")


class ModelCache:
    """Parses deployed files on first use."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._processes: OrderedDict[int, Process] = OrderedDict()
        self._decisions: OrderedDict[int, tuple[RequirementsVersion, DecisionRequirements]] = OrderedDict()

    def process(self, process_definition_key: int) -> Process:
        """Return a deployed process; raises LookupError for an unknown key."""
        process = self._processes.get(process_definition_key)
        if process is None:
            definition = self._store.process_definitions.get(process_definition_key)
            if definition is None:
                raise LookupError(f"no process is deployed with key {process_definition_key}")
            process = next(
                p for p in parse_bpmn(definition.content, deployed=True) if p.id == definition.bpmn_process_id
            )
        _cache(self._processes, process_definition_key, process)
        return process

    def decisions(self, decision_requirements_key: int) -> tuple[RequirementsVersion, DecisionRequirements]:
        """Return a deployed DMN file; raises LookupError for an unknown key."""
        parsed = self._decisions.get(decision_requirements_key)
        if parsed is None:
            requirements = self._store.decisions.requirements(decision_requirements_key)
            if requirements is None:
                raise LookupError(f"no decisions are deployed with key {decision_requirements_key}")
            parsed = (requirements, parse_dmn(requirements.content, deployed=True))
        _cache(self._decisions, decision_requirements_key, parsed)
        return parsed

    def clear(self) -> None:
        """Clear the cache after a rollback, because its keys are assigned anew."""
        self._processes.clear()
        self._decisions.clear()


def _cache(cache: OrderedDict[int, CachedModel], key: int, value: CachedModel) -> None:
    cache[key] = value
    cache.move_to_end(key)
    if len(cache) > _MAX_CACHED:
        cache.popitem(last=False)
