"""Submitted forms, and their conversion to the bodies that the JSON API takes."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import Annotated, Any, TypeVar, cast

from fastapi import Depends, Request
from pydantic import BaseModel, TypeAdapter, ValidationError
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException

from services.runtime.errors import Refused
from services.runtime.translations import Capitalised, Message
from services.web.errors import sentence

CSRF_FIELD = "csrf_token"
# The longest form is a return with a thousand downloads, each with an id, an outcome and a note.
MOST_FIELDS, MOST_FILES = 5000, 20
LONGEST_NAME, DEEPEST = 100, 6  # of a field: items-0-cameraId lies two steps deep
MARKED = Message("the marked field")
UTF_8 = (b"utf-8", b"utf8")
FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class TypedForm:
    """The fields of a submitted form; ``fields`` is ordered and may hold a name more than once."""

    fields: FormData

    def text(self, name: str, default: str = "") -> str:
        """Return the field's text, stripped; ``default`` if it is missing."""
        value = self.fields.get(name)
        return value.strip() if isinstance(value, str) else default

    def all(self, name: str) -> list[str]:
        """Return all texts of a repeated field, such as check boxes."""
        return [value for value in self.fields.getlist(name) if isinstance(value, str)]

    def file(self, name: str) -> UploadFile | None:
        """Return the chosen file, or None."""
        value = self.fields.get(name)
        return value if isinstance(value, UploadFile) and value.filename else None

    def all_files(self, name: str) -> list[UploadFile]:
        """Return all files that were chosen in one field."""
        return [value for value in self.fields.getlist(name) if isinstance(value, UploadFile) and value.filename]

    def __contains__(self, name: object) -> bool:
        return name in self.fields

    @property
    def texts(self) -> list[tuple[str, str]]:
        """Return all texts with their names, in order."""
        return [(name, value) for name, value in self.fields.multi_items() if isinstance(value, str)]

    @property
    def files(self) -> list[str]:
        """Return the names of the fields in which a file was chosen."""
        return [name for name in self.fields if self.file(name) is not None]

    def body(self, model: type[Model], **more: Any) -> Model:
        """Convert the form to this body: ``items-0-cameraId`` nests, empty fields are dropped, ``more`` wins.

        A field that the body declares as a list may be repeated. Refused names the first invalid field.
        """
        values = {**nested(self._values(model)), **more}
        try:
            return model.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            raise _invalid(first, "-".join(str(part) for part in first["loc"])) from error

    def words(self, name: str, kind: Any) -> str:
        """Return the field's text as a body would take it whose field has this type, such as ``Paragraph``."""
        return checked(kind, self.text(name), name)

    def _values(self, model: type[BaseModel]) -> dict[str, Any]:
        lists = {info.alias or name for name, info in model.model_fields.items() if "list[" in str(info.annotation)}
        texts_by_name: dict[str, list[str]] = {}
        for name, value in self.fields.multi_items():
            if name != CSRF_FIELD and isinstance(value, str) and value.strip():
                texts_by_name.setdefault(name, []).append(value)
        return {name: texts if name in lists else texts[-1] for name, texts in texts_by_name.items()}


def checked(kind: Any, text: str, field: str) -> str:
    """Return the text as a body would take it whose field has this type; Refused names ``field``."""
    try:
        return cast("str", _adapter(kind).validate_python(text))
    except ValidationError as error:
        raise _invalid(error.errors()[0], field) from error


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _invalid(error: Any, field: str) -> Refused:
    """Say what is wrong, with the field called as a page shows it: by its mark, because its name is ours alone."""
    called = field if error["type"] == "extra_forbidden" else MARKED
    said = sentence(error["type"], {**error.get("ctx", {}), "message": error["msg"], "field": called})
    return Refused(error["type"].replace("_", "-"), Capitalised(said), status=422, field=field)


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Convert ``{"items-0-zone": x}`` to ``{"items": [{"zone": x}]}``; numbers become list positions, in order."""
    tree: dict[str, Any] = {}
    for name, value in values.items():
        *parents, last = name.split("-")
        if len(name) > LONGEST_NAME or len(parents) > DEEPEST:
            raise _wrong("field-unknown")
        branch = tree
        for step in parents:
            following = branch.setdefault(step, {})
            if not isinstance(following, dict):
                raise _wrong("field-twice")
            branch = following
        branch[last] = value
    return {name: _lists(value) for name, value in tree.items()}


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {name: _lists(part) for name, part in value.items()}
    if inner and all(name.isascii() and name.isdigit() for name in inner):
        return [inner[name] for name in sorted(inner, key=int)]
    return inner


def whole_number(text: str) -> int:
    """Return the number of up to nine digits; 0 for anything else, of which the caller says what is wrong."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


async def typed(request: Request) -> TypedForm:
    """Return the form of this request, empty without one. ``visitor`` checks its CSRF token.

    Raises Refused for more fields than any form of ours has, before they are parsed, and for a charset that is not
    UTF-8.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in FORM_TYPES:
        return TypedForm(FormData())
    if parse_options_header(request.headers["content-type"])[1].get(b"charset", b"utf-8").lower() not in UTF_8:
        # the sender would choose the codec: punycode raises what no parser expects, UTF-7 makes lone surrogates
        raise _wrong("form-wrong")
    if kind == FORM_TYPES[0] and (await request.body()).count(b"&") >= MOST_FIELDS:
        raise _wrong("too-many-fields")
    try:
        return TypedForm(await request.form(max_files=MOST_FILES, max_fields=MOST_FIELDS))
    except HTTPException as error:
        if error.status_code == HTTPStatus.BAD_REQUEST:  # how starlette reports an invalid or too long form
            raise _wrong("form-wrong") from error
        raise


def keep(request: Request, form: TypedForm) -> None:
    """Have the form offered once more where its act cannot be done now; for one whose CSRF token was checked."""
    request.state.kept_form = form


def kept(request: Request) -> TypedForm | None:
    """Return the form of ``keep``."""
    form = getattr(request.state, "kept_form", None)
    return form if isinstance(form, TypedForm) else None


def _wrong(code: str) -> Refused:
    return Refused(code, "The form is not valid: reload the page.", status=422)


Typed = Annotated[TypedForm, Depends(typed)]
