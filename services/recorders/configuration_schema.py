"""The configuration of a kind of recorder: declared fields, from which forms and checks are made."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from services.recorders.folder.plain_layout import Pattern, PatternError
from services.runtime.errors import Fatal, Refused

FieldKind = Literal["text", "secret", "whole", "zone", "folder", "address", "choice", "pattern"]
LONGEST = 500


@dataclass(frozen=True)
class Field:
    """One field of a recorder's configuration.

    ``secret`` never leaves the server again; ``folder`` and ``address`` are checked by whoever opens the recorder.
    """

    name: str
    kind: FieldKind
    zh: str
    en: str
    hint_zh: str = ""
    hint_en: str = ""
    required: bool = False
    default: str = ""
    least: int | None = None
    most: int | None = None
    choices: tuple[str, ...] = ()
    schemes: tuple[str, ...] = ()

    def checked(self, text: str) -> str:
        """Return the value in canonical form; raises Refused with what to enter."""
        if not text and self.required:
            raise self.refusal("请填写。", "fill it in.")
        if len(text) > LONGEST or not text.isprintable():
            raise self.refusal("内容过长或含有控制字符，请改正。", "it is too long or has control characters.")
        if not text:
            return self.default
        if self.kind == "whole":
            return self._whole(text)
        if self.kind == "zone" and text not in available_timezones():
            raise self.refusal(
                "请填写时区名称，例如 Asia/Shanghai。", "give a time zone's name, such as Asia/Shanghai."
            )
        if self.kind == "choice" and text not in self.choices:
            raise self.refusal(f"请选择 {'、'.join(self.choices)}。", f"choose {' or '.join(self.choices)}.")
        if self.kind == "pattern":
            return self._pattern(text)
        if self.kind == "folder" and (not text.startswith("/") or ".." in text.split("/")):
            raise self.refusal("请填写以 / 开头的完整路径。", "give a whole path that begins with /.")
        return text

    def _whole(self, text: str) -> str:
        digits = text.removeprefix("-")
        fits = text.isascii() and digits.isdecimal() and len(digits) <= 12
        if (
            not fits
            or (self.least is not None and int(text) < self.least)
            or (self.most is not None and int(text) > self.most)
        ):
            limits = f"{self.least} … {self.most}"
            raise self.refusal(f"请填写 {limits} 之间的整数。", f"give a whole number, {limits}.")
        return str(int(text))

    def _pattern(self, text: str) -> str:
        try:
            return Pattern.of(text).text
        except PatternError as error:
            raise self.refusal(
                "须含年、月、日、时、分、秒各一次，例如 %Y%m%d_%H%M%S。",
                "give day, hour, minute and second once each, such as %Y%m%d_%H%M%S.",
            ) from error

    def refusal(self, zh: str, en: str) -> Refused:
        """A refusal that names the field."""
        return Refused(
            "configuration", f"{self.zh}：{zh}", f"{self.en}: {en}", status=422, field=f"configuration.{self.name}"
        )


PARALLEL = Field(
    *("parallel_fetches", "whole", "同时读取数", "fetches at once"),
    "录像机同时最多提供几段录像；每个调取进程各自计算。",
    "How many recordings it gives back at the same time, to each process that fetches.",
    default="2",
    least=1,
    most=16,
)


ADDRESS = Field(
    *("address", "address", "地址", "address"),
    "录像机的网址，例如 http://192.168.1.20:9996。",
    "Where it answers, such as http://192.168.1.20:9996.",
    required=True,
    schemes=("http", "https"),
)
USER = Field(*("user", "text", "用户名", "user"))
PASSWORD = Field(*("password", "secret", "密码", "password"))
ZONE = Field(
    *("zone", "zone", "时区", "time zone"),
    "它给出的时间没有时区时按此时区理解。",
    "For times that it gives without a zone.",
    default="UTC",
)
IDENTITY = Field(
    *("identity", "text", "标识", "identity"),
    "记录上用的标识，例如序列号。",
    "What records call it, such as its serial number.",
)


@dataclass(frozen=True)
class ConfigurationSchema:
    """The fields of one kind of recorder, and their checks."""

    code: str
    zh: str
    en: str
    fields: tuple[Field, ...]

    @property
    def secrets(self) -> frozenset[str]:
        return frozenset(field.name for field in self.fields if field.kind == "secret")

    @property
    def places(self) -> frozenset[str]:
        """The fields that say where the recorder is: a secret that was typed for one place is not sent to another."""
        return frozenset(field.name for field in self.fields if field.kind in ("folder", "address"))

    def checked(self, typed: Mapping[str, str], kept: frozenset[str] = frozenset()) -> dict[str, str]:
        """Check a configuration field by field; Refused names the first at fault.

        ``kept`` are secrets that are set already: left empty, they stay as they are and are not in the answer.
        """
        known = {field.name for field in self.fields}
        unknown = sorted(set(typed) - known)
        if unknown:
            raise Refused(
                "configuration",
                f"{self.zh}没有 {unknown[0]} 这一项，请删去。",
                f"A {self.en} has no field {unknown[0]}: leave it out.",
                status=422,
                field=f"configuration.{unknown[0]}",
            )
        checked: dict[str, str] = {}
        for field in self.fields:
            text = typed.get(field.name, "").strip()
            if field.kind == "secret" and not text and field.name in kept:
                continue
            value = field.checked(text)
            if value:
                checked[field.name] = value
        return checked


def zone_of(configuration: Mapping[str, str], kind: str, default: str = "UTC") -> ZoneInfo:
    """Read the zone of a configuration. Raises Fatal with what to correct."""
    name = configuration.get("zone", default)
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: a name that is a folder, or too long
        raise Fatal(f"The zone of a {kind} recorder is {name!r}: set an IANA name such as Asia/Shanghai.") from error
