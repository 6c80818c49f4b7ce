"""What the chart has to know of the code: what each part needs of secrets, volumes and networks, and every setting."""

import inspect
import json
import sys
from pathlib import Path

from opentelemetry.sdk import environment_variables

from services.app import server
from services.runtime.jobs.worker import Worker, discover
from services.runtime.settings import all_settings, variable

FILES = Path(__file__).parents[2] / "charts" / "footage-desk" / "files"

# What a handler asks for by parameter name, and what the chart calls it.
NAMES = {
    "store": "store",
    "replica_store": "replica",
    "loan_keys": "loanKeys",
    "recorders": "recorders",
    "signer": "sealKey",
}
# Who writes the outbox sends notices; who watches over logins has the key of second factors and asks the provider. Its
# page of the directory asks that too.
# The head of the audit trail is signed beside the acts; whose labels are ours, the check of a case asks.
PORTAL = (
    *(
        "directory",
        "loanKeysRead",
        "logKey",
        "mail",
        "portalKey",
        "provider",
        "recipients",
        "recorders",
        "recordersKey",
    ),
    *("sealChain", "store"),
)


def needs(worker: Worker) -> list[str]:
    """What one job type needs beside database and engine."""
    found = {NAMES[name] for name in worker.needs if name in NAMES}
    if "recorders" in found:
        found.add("recordersKey")  # their passwords are encrypted with it
    if "vault_keys" in worker.needs:
        found.add("recipients")
        module = inspect.getmodule(worker.handle)
        if module is not None and "vault_keys.unwrapper" in inspect.getsource(module):
            found.add("vaultKey")
    if server.roles_for([worker.job_type]).sweeper:
        found |= {"store", "replica", "loanKeys"}
    return sorted(found)


def table() -> str:
    """The table as the chart reads it."""
    table = {"portal": list(PORTAL), "jobTypes": {worker.job_type: needs(worker) for worker in discover()}}
    return json.dumps(table, indent=2) + "\n"


def settings() -> str:
    """The variables that this release reads as the chart knows them, to find a mistyped one."""
    names = {"settings": sorted(variable(path) for path in all_settings()), "others": others()}
    return json.dumps(names, indent=2) + "\n"


def others() -> list[str]:
    """The variables that are no setting of ours: of the authorities that are trusted, and of what sends traces."""
    return sorted(["SSL_CERT_DIR", "SSL_CERT_FILE", *(name for name in vars(environment_variables) if "OTEL_" in name)])


if __name__ == "__main__":
    for name, text in (("access.json", table()), ("settings.json", settings())):
        (FILES / name).write_text(text, encoding="utf-8")
        sys.stdout.write(f"files/{name} is written\n")
