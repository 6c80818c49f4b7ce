"""The configuration of a kind of recorder: declared fields, from which forms and checks are made."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from services.recorders.folder.plain_layout import Pattern, PatternError
from services.runtime.errors import Fatal, Refused
from services.runtime.translations import Joined, Message, Text, Worded

FieldKind = Literal["text", "secret", "whole", "zone", "folder", "address", "choice", "pattern"]
LONGEST = 500


@dataclass(frozen=True)
class Field(Worded):
    """One field of a recorder's configuration.

    ``secret`` never leaves the server again; ``folder`` and ``address`` are checked by whoever opens the recorder.
    """

    name: str
    kind: FieldKind
    message: Text
    hint: Text | None = None
    required: bool = False
    default: str = ""
    least: int | None = None
    most: int | None = None
    choices: tuple[str, ...] = ()
    schemes: tuple[str, ...] = ()

    @property
    def hint_zh(self) -> str:
        return self.hint.zh if self.hint else ""

    @property
    def hint_en(self) -> str:
        return self.hint.en if self.hint else ""

    def checked(self, text: str) -> str:
        """Return the value in canonical form; raises Refused with what to enter."""
        if not text and self.required:
            raise self.refusal(Message("required."))
        if len(text) > LONGEST or not text.isprintable():
            raise self.refusal(Message("it is too long or has control characters."))
        if not text:
            return self.default
        if self.kind == "whole":
            return self._whole(text)
        if self.kind == "zone" and text not in available_timezones():
            raise self.refusal(Message("enter the name of a time zone, such as Asia/Shanghai."))
        if self.kind == "choice" and text not in self.choices:
            raise self.refusal(Message("choose {choices}.", choices=Joined(" or ", self.choices)))
        if self.kind == "pattern":
            return self._pattern(text)
        if self.kind == "folder" and (not text.startswith("/") or ".." in text.split("/")):
            raise self.refusal(Message("enter a full path that begins with /."))
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
            raise self.refusal(Message("enter a whole number, {limits}.", limits=limits))
        return str(int(text))

    def _pattern(self, text: str) -> str:
        try:
            return Pattern.of(text).text
        except PatternError as error:
            raise self.refusal(
                Message("include year, month, day, hour, minute and second once each, such as %Y%m%d_%H%M%S."),
            ) from error

    def refusal(self, message: Text) -> Refused:
        """A refusal that names the field."""
        return Refused(
            "configuration",
            "{label}: {problem}",
            status=422,
            field=f"configuration.{self.name}",
            label=self.message,
            problem=message,
        )


PARALLEL = Field(
    *("parallel_fetches", "whole", Message("parallel reads")),
    Message("Maximum number of recordings read at the same time, for each retrieving process."),
    default="2",
    least=1,
    most=16,
)


ADDRESS = Field(
    *("address", "address", Message("address")),
    Message("Address of the recorder, such as http://192.168.1.20:9996."),
    required=True,
    schemes=("http", "https"),
)
USER = Field(*("user", "text", Message("username")))
PASSWORD = Field(*("password", "secret", Message("password")))
ZONE = Field(
    *("zone", "zone", Message("time zone")),
    Message("For times reported without a time zone."),
    default="UTC",
)
IDENTITY = Field(
    *("identity", "text", Message("identity")),
    Message("Name used in records, such as the serial number."),
)


@dataclass(frozen=True)
class ConfigurationSchema(Worded):
    """A kind of recorder as forms show it."""

    code: str
    message: Text
    fields: tuple[Field, ...]

    @property
    def secrets(self) -> frozenset[str]:
        return frozenset(field.name for field in self.fields if field.kind == "secret")

    @property
    def places(self) -> frozenset[str]:
        """The fields that say where the recorder is: a secret that was typed for one place is not sent to another."""
        return frozenset(field.name for field in self.fields if field.kind in ("folder", "address"))

    def checked(self, typed: Mapping[str, str], stored: frozenset[str] = frozenset()) -> dict[str, str]:
        """Check a configuration field by field; Refused names the first at fault.

        ``stored`` are secrets that are set already: left empty, they stay as they are and are not in the answer.
        """
        known = {field.name for field in self.fields}
        unknown = sorted(set(typed) - known)
        if unknown:
            raise Refused(
                "configuration",
                "A {name} has no field {unknown}: remove it.",
                status=422,
                field=f"configuration.{unknown[0]}",
                unknown=unknown[0],
                name=self.message,
            )
        checked: dict[str, str] = {}
        for field in self.fields:
            text = typed.get(field.name, "").strip()
            if field.kind == "secret" and not text and field.name in stored:
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
