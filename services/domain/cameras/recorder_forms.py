"""A recorder's entry from what was typed: checked by the shape of its kind, and where it may be by the settings."""

from collections.abc import Mapping
from pathlib import Path

import anyio.to_thread

from services.database.tables.cameras import Recorder
from services.domain.cameras.recorders import RecorderEntry
from services.recorders.configuration_schema import ConfigurationSchema, Field
from services.recorders.registry import KINDS, Kind, Places
from services.runtime.addresses import Guard
from services.runtime.errors import Refused
from services.runtime.translations import Message


def get_kind(code: str) -> Kind:
    """The kind; Refused where there is none of that name."""
    known = KINDS.get(code)
    if known is None:
        names = ", ".join(sorted(KINDS))
        raise Refused("kind-unknown", "Choose a kind: {names}.", status=422, field="kind", names=names)
    return known


def get_schema(row: Recorder) -> ConfigurationSchema | None:
    """The shape of a recorder's kind; None for a kind that this version does not know."""
    known = KINDS.get(row.kind)
    return None if known is None else known.schema


async def build_entry(
    places: Places,
    *,
    name: str,
    site: str,
    kind: str,
    zone: str,
    configuration: Mapping[str, str],
    row: Recorder | None = None,
) -> RecorderEntry:
    """The entry for the book; Refused with the field at fault, ``configuration.<name>``. ``row`` is what it changes."""
    shape = get_kind(kind).schema
    kept = frozenset(secret for secret in shape.secrets if row is not None and row.configuration.get(secret))
    checked = shape.checked(configuration, kept)
    for field in shape.fields:
        if field.name in checked and field.kind == "folder":
            await anyio.to_thread.run_sync(_check_folder, field, checked[field.name], places.roots)
        if field.name in checked and field.kind == "address":
            guard = Guard(places.guard.networks, field.schemes or ("https",), field=f"configuration.{field.name}")
            checked[field.name] = (await guard.check(checked[field.name])).url
    return RecorderEntry(
        name=name,
        site=site,
        kind=kind,
        zone=zone,
        configuration=checked,
        secrets=shape.secrets,
        kept=frozenset(secret for secret in kept if secret not in checked),
        places=shape.places,
    )


def shown_configuration(row: Recorder) -> dict[str, str]:
    """A recorder's configuration without its secrets; nothing of a kind that this version does not know."""
    shape = get_schema(row)
    if shape is None:
        return {}
    return {name: str(value) for name, value in row.configuration.items() if name not in shape.secrets}


def list_secrets_set(row: Recorder) -> list[str]:
    """The secret fields that are set."""
    shape = get_schema(row)
    return sorted(name for name in (shape.secrets if shape else ()) if row.configuration.get(name))


def _check_folder(field: Field, text: str, roots: tuple[Path, ...] | None) -> None:
    if roots is None:
        return
    if not roots:
        raise field.refusal(
            Message("no folder is allowed yet: set FOOTAGE_DESK_RECORDERS__ROOTS in the environment first."),
        )
    # Links are followed before looking, so that none leads out.
    if not any(Path(text).resolve().is_relative_to(root.resolve()) for root in roots):
        allowed = ", ".join(map(str, roots))
        raise field.refusal(Message("the folder must lie under {allowed}.", allowed=allowed))
