"""A pytest plugin that names the recorder for the tests of the contract.

    pytest -p services.recorder_contract.plugin --pyargs services.recorder_contract \\
        --recorder-kind acme-nvr --recorder-configuration acme.json --recorder-channel 1 \\
        --recorder-from 2026-03-01T12:00:00+08:00 --recorder-until 2026-03-01T12:01:00+08:00

The span is one that the recorder has recorded whole. A conftest.py may give ``recorder_subject`` itself instead, such
as for a simulated recorder.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.recorders.kinds import Kind, Places
from services.recorders.protocol import Recorder
from services.recorders.registry import KINDS, missing_kind, open_recorder
from services.runtime.addresses import Guard, parse_networks
from services.runtime.spans import Span

ANYWHERE = Places(guard=Guard(parse_networks("0.0.0.0/0,::/0"), ("http", "https")))


@dataclass(frozen=True)
class Subject:
    """A recorder to be tested. ``recorded`` is a span of the channel without a gap; ``configuration`` as entered."""

    kind: str
    configuration: Mapping[str, str]
    channel: str
    recorded: Span
    wrong_channel: str = "no-such-channel"

    @property
    def described(self) -> Kind:
        """The kind itself; fails the test where there is none."""
        if self.kind not in KINDS:
            pytest.fail(missing_kind(self.kind))
        return KINDS[self.kind]

    def open(self, places: Places = ANYWHERE, **changes: str) -> Recorder:
        """Open it as the product does, with changes to its configuration."""
        checked = self.described.schema.checked({**self.configuration, **changes})
        return open_recorder(self.kind, checked, places)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what names the recorder."""
    group = parser.getgroup("recorder contract")
    group.addoption("--recorder-kind", help="name of the kind, as in its entry point")
    group.addoption("--recorder-configuration", type=Path, help="JSON file with the fields of its form")
    group.addoption("--recorder-channel", help="a channel that has recorded the span")
    group.addoption("--recorder-from", type=_moment, help="start of a span recorded whole, with an offset (RFC 3339)")
    group.addoption("--recorder-until", type=_moment, help="its end; a minute is enough")
    group.addoption("--recorder-wrong-channel", default="no-such-channel", help="a channel that it does not have")


@pytest.fixture
def recorder_subject(pytestconfig: pytest.Config) -> Subject:
    """The recorder that the options name."""
    names = ("kind", "configuration", "channel", "from", "until")
    told = {name: pytestconfig.getoption(f"recorder_{name}") for name in names}
    if lacking := [f"--recorder-{name}" for name, value in told.items() if value is None]:
        pytest.skip(f"give {', '.join(lacking)}, or recorder_subject in a conftest.py")
    configuration = json.loads(told["configuration"].read_text(encoding="utf-8"))
    span = Span(told["from"], told["until"])
    wrong = pytestconfig.getoption("recorder_wrong_channel")
    return Subject(told["kind"], configuration, told["channel"], span, wrong)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no offset: write it as 2026-03-01T12:00:00+08:00")
    return moment.astimezone(UTC)
