"""The chart: every part is given what it needs and nothing more, and what is made from code or values is fresh."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml
from chart_render import CHART, ROOT, SETS, parts, rendered

from services.runtime.jobs.worker import discover
from services.runtime.settings import Settings, all_settings, variable
from services.vault.keys.log_key import ensure_log_key
from services.vault.keys.secret_box import KeyFileBox
from services.vault.keys.signing_key import ensure_signing_key
from services.vault.keys.vault_keys import LoanKeys, ensure_keys

TOOLS = ROOT / "deploy" / "chart"
BOOKS = {"footage-desk-database"}
STORE, REPLICA = {"footage-desk-store"}, {"footage-desk-replica"}
VAULT, PORTAL = {"footage-desk-vault"}, {"footage-desk-portal-key"}
RECORDERS_KEY = {"footage-desk-recorders-key"}
SEAL, LOG = {"footage-desk-seal"}, {"footage-desk-log"}
NOTICES = {"footage-desk-mail", "footage-desk-webhook"}
PROVIDER = {"footage-desk-oidc"}
DIRECTORY = {"footage-desk-directory"}
RECORDERS = {"10.20.0.0/16", "10.21.0.0/16"}

# Which secrets each part of the city is given. Whoever widens this says why.
SECRETS = {
    "portal": BOOKS | STORE | PORTAL | RECORDERS_KEY | LOG | NOTICES | PROVIDER | DIRECTORY,
    "worker-process": BOOKS,
    # Who opens recorders decrypts their passwords, and no second factor.
    "worker-preserve-footage": BOOKS | STORE | RECORDERS_KEY,
    "worker-retrieve-footage": BOOKS | STORE | RECORDERS_KEY | SEAL,
    "worker-back-up-footage": BOOKS | STORE | REPLICA,
    "worker-encrypt-copy": BOOKS | STORE | REPLICA | VAULT | SEAL,
    "worker-inspect-return": BOOKS | STORE,
    "worker-closing": BOOKS | STORE | REPLICA | SEAL,
    "worker-maintenance": BOOKS | STORE | REPLICA | RECORDERS_KEY,
    # Whoever makes tables and buckets does nothing else.
    "migrate": {"footage-desk-database-owner", "footage-desk-store-owner", "footage-desk-replica-owner"},
    # It enters in the audit trail what it deploys.
    "deploy-models": BOOKS,
    "backup": BOOKS | STORE | REPLICA,
    # It takes people over, and sees no footage.
    "directory": BOOKS | DIRECTORY,
    "test": set(),
}


def made(module: str, expression: str) -> str:
    """What a tool of deploy/chart makes now, in a process of its own."""
    code = f"import sys; sys.path.insert(0, {str(TOOLS)!r}); import {module}; sys.stdout.write({expression})"
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT).stdout


def test_each_part_is_given_its_secrets_and_no_other() -> None:
    assert {name: part.secrets for name, part in parts("city").items()} == SECRETS


def test_only_who_asks_recorders_reaches_their_networks() -> None:
    reached = {name: part.networks for name, part in parts("city").items() if part.networks}

    asking = ("portal", "worker-maintenance", "worker-preserve-footage", "worker-retrieve-footage")
    assert reached == dict.fromkeys(asking, RECORDERS)


def test_each_part_reaches_the_ports_that_it_speaks_to() -> None:
    names, gateway, database, store, recorders, mail, webhook = 53, 26500, 5432, 9000, {80, 443, 554}, 587, 443
    provider, stamps, directory = 8443, 80, 636
    process, footage = {names, gateway, database}, {names, gateway, database, store}

    assert {name: part.ports for name, part in parts("city").items()} == {
        "portal": footage | recorders | {mail, webhook, provider, stamps, directory},
        "worker-process": process,
        "worker-preserve-footage": footage | recorders,
        "worker-retrieve-footage": footage | recorders | {stamps},
        "worker-back-up-footage": footage,
        "worker-encrypt-copy": footage | {stamps},
        "worker-inspect-return": footage,
        "worker-closing": footage | {stamps},
        "worker-maintenance": footage | recorders,
        "migrate": {names, database, store},
        "deploy-models": process,
        "backup": {names, database, store},
        "directory": {names, database, directory},
        "test": {names, gateway, 9600},
    }


def test_loan_keys_are_read_by_the_portal_and_written_by_who_makes_or_destroys_them() -> None:
    held = {name: part.loan_keys for name, part in parts("city").items() if part.loan_keys}

    assert held == {"portal": "read", "backup": "read", "worker-encrypt-copy": "write", "worker-closing": "write"}


def test_only_who_asks_recorders_sees_their_folders() -> None:
    seen = {
        name
        for name, part in parts("small").items()
        for mount in part.pod["containers"][0]["volumeMounts"]
        if mount["name"] == "recorders" and mount["readOnly"]
    }

    assert seen == {"portal", "worker-maintenance", "worker-preserve-footage", "worker-retrieve-footage"}


@pytest.mark.parametrize("name", SETS)
def test_every_pod_is_restricted(name: str) -> None:
    for part in parts(name).values():
        assert part.pod["automountServiceAccountToken"] is False
        assert part.pod["enableServiceLinks"] is False
        assert part.pod["securityContext"]["runAsUser"] == 10001
        for container in part.containers:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "privileged": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }


@pytest.mark.parametrize("name", SETS)
def test_a_quota_without_a_limit_range_admits_every_container(name: str) -> None:
    for part in parts(name).values():
        for container in part.containers:
            asked = {"cpu", "memory", "ephemeral-storage"}
            assert {how: set(container["resources"][how]) for how in ("requests", "limits")} == {
                "requests": asked,
                "limits": asked,
            }, f"{part.name}: {container['name']}"


@pytest.mark.parametrize("name", SETS)
def test_what_runs_before_the_release_names_nothing_that_comes_with_it(name: str) -> None:
    """A hook before an installation finds only what comes before it by its weight, and what is not the release's."""
    hooks: dict[str, list[tuple[int, str]]] = {}
    own = set()
    for one in rendered(name):
        notes = one["metadata"].get("annotations", {})
        if "helm.sh/hook" not in notes:
            own.add(one["metadata"]["name"])
            continue
        for when in notes["helm.sh/hook"].split(","):
            hooks.setdefault(when, []).append((int(notes["helm.sh/hook-weight"]), one["kind"]))
            assert notes["helm.sh/hook-delete-policy"] == "before-hook-creation,hook-succeeded"
    migrate = parts(name)["migrate"]

    assert sorted(hooks["pre-install"])[-1] == (0, "Job")
    assert {weight for weight, kind in hooks["pre-install"] if kind != "Job"} == {-10}
    assert hooks["pre-install"] == hooks["pre-upgrade"] == hooks["pre-rollback"]
    assert hooks["post-install"] == hooks["post-upgrade"] == hooks["post-rollback"] == [(0, "Job")]
    assert migrate.pod["serviceAccountName"] == "footage-desk-migrate" not in own
    assert not migrate.secrets & own
    assert not any("envFrom" in container for container in migrate.containers)
    assert not [volume for volume in migrate.pod["volumes"] if volume.get("configMap", {}).get("name") in own]


@pytest.mark.parametrize("name", SETS)
def test_every_variable_is_a_setting_and_stands_there_once(name: str) -> None:
    known = {variable(path) for path in all_settings()} | {"PGPASSWORD", "POD_NAME"}
    for part in parts(name).values():
        names = [entry["name"] for entry in part.environment]
        assert len(names) == len(set(names)), part.name
        assert set(names) <= known, part.name
    for one in rendered(name):
        if one["kind"] == "ConfigMap" and one["metadata"]["name"] == "footage-desk":
            assert set(one["data"]) <= known


@pytest.mark.parametrize("name", SETS)
def test_what_a_part_is_told_makes_settings(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for part in parts(name).values():
        with monkeypatch.context() as environment:
            for entry in part.environment:
                value = str(entry.get("value", "AGE" * 12))  # a secret of some kind, in Base64 too
                environment.setenv(entry["name"], value)
            # Authorities are files of the cluster's.
            for entry in part.environment:
                if entry["name"].endswith(("_CA_FILE", "_CA_CERTIFICATE_PATH")):
                    environment.delenv(entry["name"])
            settings = Settings.load()
        assert settings.data_dir == Path("/var/lib/footage-desk")
        if part.kind == "Deployment":
            assert settings.health.host == "0.0.0.0"
            account = "desk_parts" if name == "city" else "footage_desk"
            assert settings.database_address.startswith(f"postgresql+psycopg://{account}@postgres")


@pytest.mark.parametrize("name", SETS)
def test_a_pod_ends_later_than_its_jobs(name: str) -> None:
    for part in parts(name).values():
        drain = [entry["value"] for entry in part.environment if entry["name"] == "FOOTAGE_DESK_WORKERS__DRAIN_SECONDS"]
        if drain:
            assert part.pod["terminationGracePeriodSeconds"] >= int(drain[0]) + 10


@pytest.mark.parametrize("name", SETS)
def test_every_job_type_is_done_by_one_worker(name: str) -> None:
    workers = [part for component, part in parts(name).items() if component.startswith("worker-")]
    done = [job for part in workers for job in part.pod["containers"][0]["args"][1:]]

    assert sorted(done) == [worker.job_type for worker in discover()]


@pytest.mark.parametrize(("file", "makes"), [("access.json", "table"), ("settings.json", "settings")])
def test_what_the_chart_knows_of_the_code_is_fresh(file: str, makes: str) -> None:
    fresh = made("access", f"access.{makes}()")

    assert fresh == (CHART / "files" / file).read_text(encoding="utf-8"), "make chart-docs writes it anew"


@pytest.mark.parametrize(("document", "makes"), [("README.md", "readme"), ("values.schema.json", "schema")])
def test_what_is_made_from_the_values_is_fresh(document: str, makes: str) -> None:
    values = "documents.read((documents.CHART / 'values.yaml').read_text(encoding='utf-8'))"
    fresh = made("documents", f"documents.{makes}({values})")

    assert fresh == (CHART / document).read_text(encoding="utf-8"), "make chart-docs writes it anew"


@pytest.mark.parametrize(
    ("copies", "originals"), [("alerts/*.yaml", "prometheus/rules"), ("dashboards/*.json", "grafana")]
)
def test_alerts_and_dashboards_of_the_chart_are_those_of_the_repository(copies: str, originals: str) -> None:
    folder = ROOT / "deploy" / originals
    kept = {path.name: path.read_text(encoding="utf-8") for path in (CHART / "files").glob(copies)}

    assert kept == {path.name: path.read_text(encoding="utf-8") for path in folder.glob(Path(copies).name)}
    assert kept


def test_every_value_is_described() -> None:
    told = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))

    def undescribed(schema: dict[str, Any], path: str) -> list[str]:
        if {"description", "$ref"} & schema.keys() or path.startswith(("workerDefaults", "global", "workers")):
            return []
        below = schema.get("properties", {})
        return [one for key, inner in below.items() for one in undescribed(inner, f"{path}.{key}".lstrip("."))] or (
            [path] if not below else []
        )

    assert undescribed(told, "") == []


def test_every_map_of_ours_is_closed() -> None:
    def open_maps(schema: Any, path: str) -> list[str]:
        found = []
        if isinstance(schema, dict):
            if "properties" in schema and schema.get("additionalProperties") is not False:
                found.append(path)
            found += [one for key, inner in schema.items() for one in open_maps(inner, f"{path}/{key}")]
        return found

    # Charts beside this one have keys of theirs under `global`.
    assert open_maps(json.loads((CHART / "values.schema.json").read_text(encoding="utf-8")), "") == [
        "/properties/global"
    ]


MISTYPED = [
    {"portal": {"nodeSelectors": {"disk": "fast"}}},
    {"workers": {"process": {"resources": {"limit": {"cpu": 1}}}}},
    {"migration": {"resources": {"requests": {"cpu": [1]}}}},
    {"tolerations": [{"key": "footage", "efect": "NoSchedule"}]},
    {"hostAliases": [{"ip": "10.0.0.1", "names": ["recorder"]}]},
    {"test": {"dnsConfig": {"nameserver": ["10.0.0.53"]}}},
    {"commonLabels": {"floor": 2}},
    {"backup": {"podAnnotations": {"checked": True}}},
    {"networkPolicy": {"storeTo": [{"namespaceSelectors": {}}]}},
    {"networkPolicy": {"storePorts": ["9000"]}},
    {"recorders": {"networks": [10]}},
    {"extraEnv": {"NAME": {"secretKeyRef": {"name": "x", "key": "y"}}}},
    {"sidecars": [{"image": "proxy"}]},
    {"config": {"FOOTAGE_DESK_ZONE": ["Asia/Shanghai"]}},
    {"updateStrategy": {"type": "Rolling"}},
    {"image": {"digest": "0123"}},
    {"workers": {"Retrieve": {"jobTypes": ["retrieve-footage"]}}},
    {"global": {"imageRegistry": ["mirror.example"]}},
]


@pytest.mark.parametrize("mistyped", MISTYPED, ids=json.dumps)
def test_a_mistyped_value_is_refused(mistyped: dict[str, Any]) -> None:
    schema = jsonschema_rs.validator_for(json.loads((CHART / "values.schema.json").read_text(encoding="utf-8")))

    assert schema.is_valid(yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8")))
    assert not schema.is_valid(mistyped)


@pytest.mark.parametrize(
    "given",
    [
        {"portal": {"resources": {"limits": {"cpu": None}}, "tolerations": [{"operator": "Exists"}]}},
        {"global": {"storageClass": "of another chart", "imagePullSecrets": ["one", {"name": "two"}]}},
        {"workers": {"one": {"sidecars": [{"name": "proxy", "image": "proxy"}], "hostAliases": []}}},
        {"extraEnv": {"A": 1, "B": {"valueFrom": {"secretKeyRef": {"name": "x", "key": "y"}}}}},
    ],
    ids=json.dumps,
)
def test_what_kubernetes_takes_is_taken(given: dict[str, Any]) -> None:
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))

    assert [error.message for error in jsonschema_rs.validator_for(schema).iter_errors(given)] == []


def test_keys_are_laid_out_as_the_settings_demand(tmp_path: Path) -> None:
    given, volume, keys = tmp_path / "given", tmp_path / "volume", tmp_path / "keys"
    for folder in (given / "portal", volume, keys):
        folder.mkdir(parents=True, mode=0o777)
    ensure_keys(given / "vault")
    ensure_signing_key(given / "seal", "本单位", datetime.now(UTC))
    (given / "seal" / "seal-root-TAKE-OFFLINE.pem").unlink()
    ensure_log_key(given / "log")
    (given / "portal" / "secrets.key").write_text("ab" * 32 + "\n")
    (given / "vault" / "vault-identity.txt").chmod(0o440)
    names = ["vault/vault-identity.txt", "vault/vault-recipient.txt", "vault/escrow-recipient.txt"]
    names += ["seal/seal-chain.pem", "seal/seal-key.pem", "log/log-key.pem"]

    def lay_out(loans: str) -> None:
        places = ["--given", given, "--keys", keys, "--volume", volume, "--loans", loans]
        script = CHART / "files" / "lay_out_keys.py"
        subprocess.run([sys.executable, script, *places, *names, "portal/secrets.key"], check=True)

    lay_out("write")
    copy = LoanKeys(keys / "loans").create("copy-1")
    (volume / "loans" / "copy-1.key").chmod(0o660)  # as a mount with fsGroup leaves it
    lay_out("write")

    assert ensure_keys(keys / "vault").unwrapper() is not None
    assert not (keys / "vault" / "escrow-identity-TAKE-OFFLINE.txt").exists()
    assert ensure_signing_key(keys / "seal", "本单位", datetime.now(UTC)).sign(bytes(32))
    assert ensure_log_key(keys / "log").public == ensure_log_key(given / "log").public
    assert LoanKeys(keys / "loans").create("copy-1") == copy
    box = KeyFileBox(keys / "portal" / "secrets.key")
    assert box.decrypt(box.encrypt("secret", "test"), "test") == "secret"

    lay_out("read")
    assert LoanKeys(keys / "loans").unwrapper("copy-1") is not None
