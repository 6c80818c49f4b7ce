"""Secrets in a recorder's configuration: encrypted where it is stored, decrypted where the recorder is opened.

A secret is bound to the recorder's kind and place, so that whoever can write to the database alone cannot have it sent
to an address of their choice. Its key is not the portal's, so that a worker that opens recorders reads no second
factor and makes no session.
"""

import json
from collections.abc import Collection, Mapping

from services.runtime.errors import Retryable
from services.runtime.secret_box import SecretBox

FORMER = "encrypted:"  # before what was encrypted with the portal's key
MARK = f"{FORMER}recorders:"  # before the ciphertext; an earlier release takes it for damaged, and not for a password


def is_encrypted(value: object) -> bool:
    return isinstance(value, str) and value.startswith(MARK)


def is_former(value: object) -> bool:
    """Return whether the portal's key has encrypted the value, as before recorders had a key of their own."""
    return isinstance(value, str) and value.startswith(FORMER) and not is_encrypted(value)


def decrypt_former(
    kind: str, configuration: Mapping[str, str], box: SecretBox, *, places: Collection[str]
) -> dict[str, str]:
    """Return the configuration with what the portal's key has encrypted in clear; raises Fatal as ``decrypt``."""
    return {
        name: box.decrypt(value.removeprefix(FORMER), _purpose(kind, configuration, name, places))
        if is_former(value)
        else value
        for name, value in configuration.items()
    }


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
    """Return the configuration with its secrets in clear; raises Fatal if one was encrypted for another place.

    Retryable where the portal has still to encrypt one anew.
    """
    if former := [name for name, value in configuration.items() if is_former(value)]:
        raise Retryable(
            f"could not open a recorder | its {former[0]} | it is encrypted with the portal's key, as before recorders "
            "had their own | start the portal of this release, which encrypts it anew, or enter it anew"
        )
    return {
        name: box.decrypt(value.removeprefix(MARK), _purpose(kind, configuration, name, places))
        if is_encrypted(value)
        else value
        for name, value in configuration.items()
    }


def _purpose(kind: str, configuration: Mapping[str, str], name: str, places: Collection[str]) -> str:
    where = {place: str(configuration[place]) for place in places if configuration.get(place)}
    return f"recorder {kind} {name} {json.dumps(where, sort_keys=True)}"
