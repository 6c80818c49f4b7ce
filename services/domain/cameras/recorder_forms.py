"""Build recorder entries from submitted fields, checked by kind and settings."""

from collections.abc import Mapping
from pathlib import Path

import anyio.to_thread

from services.database.tables.cameras import Recorder
from services.domain.cameras.recorders import RecorderEntry
from services.recorders.configuration_schema import ConfigurationSchema, Field
from services.recorders.kinds import Kind, Places
from services.recorders.registry import KINDS
from services.runtime.addresses import Guard
from services.runtime.errors import Refused
from services.runtime.labels import Label
from services.runtime.translations import Message, Text


def get_kind(code: str) -> Kind:
    """Return the kind. Refused for an unknown one."""
    kind = KINDS.get(code)
    if kind is None:
        names = ", ".join(sorted(KINDS))
        raise Refused("kind-unknown", "Choose a recorder type: {names}.", status=422, field="kind", names=names)
    return kind


def get_name(code: str) -> Text:
    """Return the name of a kind: our own word, or what the package that brings it calls it."""
    kind = KINDS.get(code)
    return kind.schema.message if kind is not None and kind.package is not None else Label(f"recorder-{code}")


def get_schema(row: Recorder) -> ConfigurationSchema | None:
    """Return the schema of a recorder's kind; None if unknown."""
    kind = KINDS.get(row.kind)
    return None if kind is None else kind.schema


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
    """Check submitted values and return the entry.

    ``row`` is the recorder that is changed. Refused with the wrong field, ``configuration.<name>``.
    """
    schema = get_kind(kind).schema
    kept = frozenset(secret for secret in schema.secrets if row is not None and row.configuration.get(secret))
    checked = schema.checked(configuration, kept)
    for field in schema.fields:
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
        secrets=schema.secrets,
        kept_secrets=frozenset(secret for secret in kept if secret not in checked),
        address_fields=schema.places,
    )


def shown_configuration(row: Recorder) -> dict[str, str]:
    """Return the configuration without secrets; empty for an unknown kind."""
    schema = get_schema(row)
    if schema is None:
        return {}
    return {name: str(value) for name, value in row.configuration.items() if name not in schema.secrets}


def list_secrets_set(row: Recorder) -> list[str]:
    """List the secret fields that have a value."""
    schema = get_schema(row)
    return sorted(name for name in (schema.secrets if schema else ()) if row.configuration.get(name))


def _check_folder(field: Field, text: str, roots: tuple[Path, ...] | None) -> None:
    if roots is None:
        return
    if not roots:
        raise field.refusal(
            Message("no allowed folder is configured: set FOOTAGE_DESK_RECORDERS__ROOTS in the environment first."),
        )
    # Symbolic links are resolved first, so that none leads out of the roots.
    if not any(Path(text).resolve().is_relative_to(root.resolve()) for root in roots):
        allowed = ", ".join(map(str, roots))
        raise field.refusal(Message("the folder must be under {allowed}.", allowed=allowed))
