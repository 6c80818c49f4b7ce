"""Secrets in a recorder's configuration: encrypted where it is stored, decrypted where the recorder is opened.

A secret is bound to the recorder's kind and place, so that whoever can write to the database alone cannot have it sent
to an address of their choice.
"""

import json
from collections.abc import Collection, Mapping

from services.runtime.secret_box import SecretBox

MARK = "encrypted:"  # before the ciphertext


def is_encrypted(value: object) -> bool:
    return isinstance(value, str) and value.startswith(MARK)


def encrypt(
    kind: str,
    configuration: Mapping[str, str],
    box: SecretBox,
    *,
    secrets: Collection[str],
    places: Collection[str],
) -> dict[str, str]:
    """Return the configuration with its ``secrets`` encrypted; ``places`` are the fields that say where it is."""
    return {
        name: MARK + box.encrypt(value, _purpose(kind, configuration, name, places)) if name in secrets else value
        for name, value in configuration.items()
    }


def decrypt(kind: str, configuration: Mapping[str, str], box: SecretBox, *, places: Collection[str]) -> dict[str, str]:
    """Return the configuration with its secrets in clear; raises Fatal if one was encrypted for another place."""
    return {
        name: box.decrypt(value.removeprefix(MARK), _purpose(kind, configuration, name, places))
        if is_encrypted(value)
        else value
        for name, value in configuration.items()
    }


def _purpose(kind: str, configuration: Mapping[str, str], name: str, places: Collection[str]) -> str:
    where = {place: str(configuration[place]) for place in places if configuration.get(place)}
    return f"recorder {kind} {name} {json.dumps(where, sort_keys=True)}"
