"""The peer of sealing and issuing: a shell pipeline that does the same work."""

import os
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from services.bench.camera import SECONDS
from services.runtime.settings import stores as places

_FRAGMENTED = "-c copy -movflags frag_keyframe+empty_moov+default_base_moof -f mp4 pipe:1"

_STRICT = "set -o pipefail; "


@dataclass(frozen=True)
class Pipeline:
    """A line for bash with its environment; secrets are only in the environment."""

    what: str
    line: str
    environment: dict[str, str]
    tools: tuple[str, ...]

    def missing(self) -> str | None:
        """Return a sentence if this machine lacks a tool."""
        missing = [tool for tool in self.tools if shutil.which(tool) is None]
        return f"There is no peer: this machine lacks {', '.join(missing)}." if missing else None


def sealing(
    address: str, recipients: Sequence[str], place: places.StorePlace, target: str, *, ca_file: Path | None
) -> Pipeline:
    """Return the pipeline from the recorder to the store; ``target`` is ``bucket/key`` or a file."""
    fetch = "curl -sS --fail" + (f" --cacert {_quoted(ca_file)}" if ca_file else "") + f" {shlex.quote(address)}"
    return _piped([fetch, f"ffmpeg -loglevel error -i pipe:0 {_FRAGMENTED}"], recipients, place, target, "curl")


def issuing(
    master: str, identity: Path, recipients: Sequence[str], place: places.StorePlace, target: str, *, seconds: float
) -> Pipeline:
    """Return the pipeline from a master of ``seconds`` to a copy without its first and last half segment."""
    whole = f"cat {shlex.quote(master)}"
    if isinstance(place, places.S3Store):
        whole = f"{_aws(place)} s3 cp --no-progress s3://{shlex.quote(master)} -"
    cut = f"ffmpeg -loglevel error -i pipe:0 -ss {SECONDS / 2} -to {seconds - SECONDS / 2} {_FRAGMENTED}"
    piped = _piped([whole, f"age -d -i {_quoted(identity)}", cut], recipients, place, target, "age -d")
    # ffmpeg stops reading where the cut ends, so the commands before it fail with a broken pipe.
    return replace(piped, line=piped.line.removeprefix(_STRICT))


def _piped(first: list[str], recipients: Sequence[str], place: places.StorePlace, target: str, begins: str) -> Pipeline:
    wrap = "age " + " ".join(f"-r {shlex.quote(recipient)}" for recipient in recipients)
    tools = {command.split()[0] for command in first} | {"ffmpeg", "age", "bash", "tee", "sha256sum"}
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    if isinstance(place, places.S3Store):
        last = f"{_aws(place)} s3 cp --no-progress - s3://{shlex.quote(target)}"
        tools.add("aws")
        environment |= {
            "AWS_ACCESS_KEY_ID": place.access_key,
            "AWS_SECRET_ACCESS_KEY": place.secret_key.get_secret_value(),
            "AWS_DEFAULT_REGION": place.region or "us-east-1",
        }
        if place.ca_file is not None:
            environment["AWS_CA_BUNDLE"] = str(place.ca_file)
        ends = "aws s3 cp -"
    else:
        last = f"cat > {shlex.quote(target)} && sync {shlex.quote(target)}"
        ends = "cat > file && sync file"
    line = " | ".join([*first, "tee >(sha256sum >/dev/null)", wrap, f"({last})"])
    what = f"{begins} | ffmpeg -c copy (fragmented) | tee >(sha256sum) | age {'-r … ' * len(recipients)}| {ends}"
    return Pipeline(what, _STRICT + line, environment, tuple(sorted(tools)))


def _aws(place: places.S3Store) -> str:
    return f"aws --endpoint-url {'https' if place.secure else 'http'}://{shlex.quote(place.endpoint)}"


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
