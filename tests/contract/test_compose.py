"""deploy/compose.yaml: the same parts as the chart's, each with what it needs, everything pinned, no secret inside."""

import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema_rs
import yaml
from image_layout import DOCKERFILE, variables

from services.runtime.places import ROOT
from services.runtime.settings import Settings, all_settings, variable
from services.vault.keys.signer import trusted_signers
from services.vault.keys.signing_key import ensure_signing_key
from services.vault.keys.vault_keys import recipients_in

DEPLOY = ROOT / "deploy"
TEXT = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(TEXT)["services"]
ACCESS = json.loads((ROOT / "charts" / "footage-desk" / "files" / "access.json").read_text(encoding="utf-8"))
VALUES = yaml.safe_load((ROOT / "charts" / "footage-desk" / "values.yaml").read_text(encoding="utf-8"))
OURS = {name: one for name, one in SERVICES.items() if one["image"].startswith("footage-desk:")}
WORKERS = {name: one for name, one in OURS.items() if name.startswith("worker-")}


def needs(name: str) -> set[str]:
    """What a part needs beside books and engine, as the chart has it."""
    if name == "portal":
        return set(ACCESS["portal"])
    return {need for job_type in SERVICES[name]["command"][1:] for need in ACCESS["jobTypes"][job_type]}


def volumes(name: str) -> dict[str, str]:
    """Volumes by where they are mounted; with ``:ro`` where that is loan keys that a part only reads."""
    mounts = [re.sub(r"\$\{RECORDINGS[^}]*\}", "recordings", mount).split(":") for mount in SERVICES[name]["volumes"]]
    return {target: source + ":ro" * (source == "loan-keys" and mode == ["ro"]) for source, target, *mode in mounts}


def test_workers_are_split_as_in_the_chart() -> None:
    split = {name.removeprefix("worker-"): one["command"][1:] for name, one in WORKERS.items()}

    assert split == {name: worker["jobTypes"] for name, worker in VALUES["workers"].items()}


def test_every_image_is_pinned() -> None:
    for name, one in SERVICES.items():
        tag = one["image"].rpartition(":")[2]
        assert re.fullmatch(r"v?\d+\.\d+(\.\d+)?(-\w+)?|RELEASE\.[\dTZ-]+", tag), name


def test_each_part_is_given_its_secrets_and_no_other() -> None:
    for name in (*WORKERS, "portal"):
        given, needed = set(SERVICES[name]["environment"]), needs(name)
        for group in ("store", "replica"):
            assert (f"FOOTAGE_DESK_{group.upper()}__SECRET_KEY" in given) == (group in needed), name
        mounted = volumes(name) if "volumes" in SERVICES[name] else {}
        assert (mounted.get("/keys/vault") == "vault-keys") == ("vaultKey" in needed), name
        assert ("/keys/vault" in mounted) == ("recipients" in needed), name
        assert ("/keys/loans" in mounted) == bool({"loanKeys", "loanKeysRead"} & needed), name
        assert (mounted.get("/keys/loans") == "loan-keys:ro") == ("loanKeysRead" in needed - {"loanKeys"}), name
        assert ("/keys/portal" in mounted) == ("portalKey" in needed), name
        assert ("/keys/recorders" in mounted) == ("recordersKey" in needed), name
        assert (mounted.get("/keys/seal") == "seal-key") == ("sealKey" in needed), name
        assert (mounted.get("/keys/seal") == "seal-chain") == ("sealChain" in needed), name
        assert ("/keys/log" in mounted) == ("logKey" in needed), name
        assert ("/mnt/recorders" in mounted) == ("recorders" in needed), name
        assert ("outside" in SERVICES[name]["networks"]) == ("recorders" in needed), name


def test_every_part_is_confined() -> None:
    for name, one in OURS.items():
        assert one["read_only"] is True, name
        assert one["cap_drop"] == ["ALL"]
        assert one["security_opt"] == ["no-new-privileges:true"]
        assert "privileged" not in one


def test_no_log_fills_the_disk() -> None:
    for name, one in SERVICES.items():
        assert one.get("logging", {}).get("options") == {"max-size": "20m", "max-file": "5"}, name


def test_footage_is_read_behind_two_walls_or_not_at_all() -> None:
    name = variable("confinement.required")
    told = {part: one["environment"][name] for part, one in OURS.items() if part != "keys"}
    assert set(told.values()) == {"true"} == {VALUES["config"][name]}


def test_every_variable_of_a_part_is_a_setting() -> None:
    known = {variable(path) for path in all_settings()} | {"PGPASSWORD"}
    for one in OURS.values():
        assert set(one.get("environment", {})) <= known


def test_secrets_come_from_the_env_file_and_must_be_there() -> None:
    secret = re.compile(r"(PASSWORD|SECRET)")
    for name, one in SERVICES.items():
        for variable_name, value in one.get("environment", {}).items():
            if secret.search(variable_name):
                # Without a provider there is no secret to it; with one the portal asks for it.
                left_out = value == "${OIDC_CLIENT_SECRET:-}"
                assert left_out or re.fullmatch(r"\$\{\w+:\?.*\}", str(value)), f"{name}: {variable_name}"
    asked = set(re.findall(r"\$\{(\w+)", TEXT))
    offered = set(re.findall(r"(?m)^(\w+)=", (DEPLOY / ".env.example").read_text(encoding="utf-8")))
    assert asked == offered
    assert "deploy/.env" in (ROOT / ".gitignore").read_text().split()


def test_what_is_mounted_from_here_is_here() -> None:
    named = yaml.safe_load(TEXT)["volumes"]
    for one in SERVICES.values():
        for mount in one.get("volumes", []):
            source = mount.split(":")[0]
            assert source in named or source.startswith("${") or (DEPLOY / source).exists(), mount


def names_of(name: str) -> set[str]:
    """What others call a service on the network that Prometheus is in."""
    networks = SERVICES[name].get("networks", [])
    told = networks.get("inside") or {} if isinstance(networks, dict) else {}
    return {name, *told.get("aliases", [])} if "inside" in networks else set()


def test_prometheus_finds_everything_that_goes_on_running() -> None:
    jobs = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))["scrape_configs"]
    by_name = {job["job_name"]: job["dns_sd_configs"][0] for job in jobs if "dns_sd_configs" in job}
    [camunda] = [job for job in jobs if "static_configs" in job]
    found = {job: {name for name in OURS if names_of(name) & set(how["names"])} for job, how in by_name.items()}

    assert found == {"footage-desk-portal": {"portal"}, "footage-desk-workers": set(WORKERS)}
    assert {name for name, one in OURS.items() if one["restart"] == "unless-stopped"} == {"portal", *WORKERS}
    port = Settings().health.port
    assert {how["port"] for how in by_name.values()} == {port}
    assert not any("FOOTAGE_DESK_HEALTH__PORT" in one.get("environment", {}) for one in OURS.values())
    assert f"EXPOSE {Settings().portal.port} {port}\n" in DOCKERFILE
    assert variables()["FOOTAGE_DESK_HEALTH__HOST"] == "0.0.0.0"
    assert (camunda["metrics_path"], camunda["static_configs"]) == (
        "/actuator/prometheus",
        [{"targets": ["camunda:9600"]}],
    )
    assert "inside" in SERVICES["prometheus"]["networks"]


def validator() -> jsonschema_rs.Validator:
    path = ROOT / "tests" / "data" / "compose" / "compose-spec.json"
    return jsonschema_rs.validator_for(json.loads(path.read_text(encoding="utf-8")))


def test_the_file_keeps_to_the_specification() -> None:
    whole = yaml.safe_load(TEXT)
    mistyped = {**whole, "services": {**SERVICES, "portal": {**SERVICES["portal"], "read-only": True}}}

    assert [f"{error.instance_path}: {error.message}" for error in validator().iter_errors(whole)] == []
    assert not validator().is_valid(mistyped)


def test_every_network_of_a_service_is_there() -> None:
    there = set(yaml.safe_load(TEXT)["networks"])

    assert {network for one in SERVICES.values() for network in one.get("networks", [])} == there


def test_the_database_is_asked_by_address() -> None:
    """While the volume is set up a server listens on its socket alone, and goes again."""
    assert SERVICES["postgres"]["healthcheck"]["test"][1:4] == ["pg_isready", "--host", "127.0.0.1"]


def test_who_waits_for_a_part_waits_for_one_there_is() -> None:
    for one in SERVICES.values():
        for awaited, how in one.get("depends_on", {}).items():
            assert awaited in SERVICES
            if how["condition"] == "service_healthy":
                assert "test" in SERVICES[awaited]["healthcheck"]


def test_the_keys_are_made_once_and_the_recipients_lie_apart(tmp_path: Path) -> None:
    names = ("vault", "recipients", "seal", "seal-chain", "seal-root")
    vault, recipients, seal, chain, root = (tmp_path / name for name in names)
    for folder in (recipients, chain, root):
        folder.mkdir(mode=0o700)

    def make() -> str:
        script = [sys.executable, DEPLOY / "compose" / "make_keys.py", tmp_path]
        return subprocess.run(script, check=True, capture_output=True, text=True).stderr

    assert "offline" in make()
    first = recipients_in(recipients)
    (vault / "escrow-identity-TAKE-OFFLINE.txt").unlink()
    assert sorted(path.name for path in seal.iterdir()) == ["seal-chain.pem", "seal-key.pem"]
    assert (root / "seal-root-TAKE-OFFLINE.pem").stat().st_mode & 0o077 == 0
    (root / "seal-root-TAKE-OFFLINE.pem").unlink()

    assert make() == ""
    assert recipients_in(recipients) == first == recipients_in(vault)
    assert sorted(path.name for path in recipients.iterdir()) == ["escrow-recipient.txt", "vault-recipient.txt"]
    assert [path.name for path in chain.iterdir()] == ["seal-chain.pem"]
    assert trusted_signers(chain).include(ensure_signing_key(seal, "本单位", datetime.now(UTC)).chain)
