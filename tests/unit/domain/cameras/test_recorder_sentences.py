"""Whatever is wrong with a recorder is a sentence of its own, in both languages, that says what to do."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services import recorders
from services.database.tables.cameras import Recorder
from services.domain.cameras.recorder_probe import DOWN_MESSAGES, probe
from services.recorders.protocol import RecorderDown
from services.recorders.registry import KINDS
from services.rendering import formatting as rendering_formatting
from services.runtime import labels
from services.web import templates

NOW = datetime(2031, 3, 4, 12, 0, tzinfo=UTC)
# The codes as the recorders' source has them, the default left out.
SOURCE = "\n".join(path.read_text(encoding="utf-8") for path in sorted(Path(recorders.__path__[0]).glob("*.py")))
CODES = set(re.findall(r"""\b(?:_?down)\(\s*"([a-z-]+)",""", SOURCE)) | {"missing", "empty", "denied", "unreadable"}


def test_the_codes_are_found() -> None:
    assert {"tls", "login", "forbidden", "busy", "not-a-recorder"} <= CODES


@pytest.mark.parametrize("code", sorted(CODES | {"unreachable", "silent", "broken-off", "damaged-files"}))
async def test_each_way_to_be_down_has_its_sentence(code: str) -> None:
    class Down:
        async def probe(self) -> None:
            raise RecorderDown("a secret address", code)

    def opened(_kind: str, _configuration: Mapping[str, str]) -> Any:
        return Down()

    row = Recorder(id="r", name="R", site="S", kind="folder", configuration={}, zone="UTC")

    tested = await probe(opened, row, (), NOW)

    [found] = tested.findings
    assert (found.code, found.message) == (f"recorder-{code}", DOWN_MESSAGES[code])
    assert found.message != DOWN_MESSAGES["down"]
    assert "secret" not in found.en


def test_no_two_ways_to_be_down_are_told_alike() -> None:
    assert (
        len({down.zh for down in DOWN_MESSAGES.values()})
        == len({down.en for down in DOWN_MESSAGES.values()})
        == len(DOWN_MESSAGES)
    )


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_each_kind_has_its_name_on_the_pages(kind: str) -> None:
    shape = KINDS[kind].schema

    assert labels.has_word(f"recorder-{kind}")
    assert all((field.zh, field.en) != ("", "") for field in shape.fields)
    assert len({field.name for field in shape.fields}) == len(shape.fields)


@pytest.mark.parametrize(
    ("line", "zh", "en"),
    [
        (
            "the recorder's clock is off by -1500 ms",
            "录像机时钟与标准时间相差 -1500 毫秒",
            "the recorder clock is off by -1500 ms",
        ),
        (
            "promised and not given: 2031-03-04T12:00:00+00:00 to 2031-03-04T12:00:04+00:00",
            "录像机报有而未给出",
            "reported by the recorder but not delivered",
        ),
        (
            "gone since it was handed in: 2031-03-04T12:00:00+00:00 to 2031-03-04T12:00:04+00:00",
            "提交申请后已不在",
            "no longer on the recorder since submission",
        ),
        (
            "the recorder's clock differs by 3600000 ± 500 ms, more than is searched for: Security has to say which "
            "time is meant",
            "请安全保卫部门确认所指的时间",
            "Security has to clarify which time is meant",
        ),
    ],
)
def test_lines_of_a_record_that_hold_values_are_read_in_both_languages(line: str, zh: str, en: str) -> None:
    assert zh in labels.word("zh", line)
    assert en in labels.word("en", line)


def test_moments_in_a_line_of_a_record_are_told_in_the_zone_of_the_recorder() -> None:
    line = "promised and not given: 2031-03-04T12:00:00+00:00 to 2031-03-04T12:00:04+00:00"

    printed = rendering_formatting.line(line, "Asia/Shanghai")
    assert printed == "录像机报有而未给出：2031-03-04 20:00:00.000 至 2031-03-04 20:00:04.000"
    shown = templates.line("en", line, "Asia/Shanghai")
    assert shown == "reported by the recorder but not delivered: 2031-03-04 20:00:00 UTC+8 to 2031-03-04 20:00:04 UTC+8"
