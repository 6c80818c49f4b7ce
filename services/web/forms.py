"""What a person typed into a page's form, and the same body from it that the JSON API takes."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request
from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException

from services.runtime.errors import Refused
from services.runtime.translations import Capitalised, Message, Text
from services.web.errors import sentence

CSRF_FIELD = "csrf_token"
# The longest form attests for a thousand downloads, each with its id, what became of it, and a note.
MOST_FIELDS, MOST_FILES = 5000, 20
LONGEST_NAME, DEEPEST = 100, 6  # of a field: items-0-cameraId lies two steps deep
MARKED = Message("the marked field")
FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class TypedForm:
    """The fields as they came; ``fields`` is ordered and may hold a name more than once."""

    fields: FormData

    def text(self, name: str, default: str = "") -> str:
        """The field's text without white space around it; ``default`` where it did not come."""
        value = self.fields.get(name)
        return value.strip() if isinstance(value, str) else default

    def all(self, name: str) -> list[str]:
        """All texts of a field that may come more than once, such as check boxes."""
        return [value for value in self.fields.getlist(name) if isinstance(value, str)]

    def file(self, name: str) -> UploadFile | None:
        """The file that was chosen; None where none was."""
        value = self.fields.get(name)
        return value if isinstance(value, UploadFile) and value.filename else None

    def __contains__(self, name: object) -> bool:
        return name in self.fields

    def body(self, model: type[Model], **more: Any) -> Model:
        """The form as this body: ``items-0-cameraId`` nests, empty fields are left out, ``more`` wins.

        A field that the body declares as a list may come once or more. Refused names the first field at fault.
        """
        values = {**nested(self._values(model)), **more}
        try:
            return model.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            field = "-".join(str(part) for part in first["loc"])
            message = _sentence(first, field)
            raise Refused(first["type"].replace("_", "-"), message, status=422, field=field) from error

    def _values(self, model: type[BaseModel]) -> dict[str, Any]:
        lists = {info.alias or name for name, info in model.model_fields.items() if "list[" in str(info.annotation)}
        found: dict[str, list[str]] = {}
        for name, value in self.fields.multi_items():
            if name != CSRF_FIELD and isinstance(value, str) and value.strip():
                found.setdefault(name, []).append(value)
        return {name: texts if name in lists else texts[-1] for name, texts in found.items()}


def _sentence(error: Any, field: str) -> Text:
    """What is wrong, with the field called as a page shows it: by its mark, because its name is ours alone."""
    called = field if error["type"] == "extra_forbidden" else MARKED
    return Capitalised(sentence(error["type"], {**error.get("ctx", {}), "message": error["msg"], "field": called}))


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """``{"items-0-zone": x}`` as ``{"items": [{"zone": x}]}``; numbers become places in a list, in their order."""
    tree: dict[str, Any] = {}
    for name, value in values.items():
        *way, last = name.split("-")
        if len(name) > LONGEST_NAME or len(way) > DEEPEST:
            raise _wrong("field-unknown")
        branch = tree
        for step in way:
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


async def typed(request: Request) -> TypedForm:
    """The form of this request; empty where its body is none. Its CSRF token is checked by ``visitor``.

    Refused where it has more fields than any form of ours, before they are taken apart.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in FORM_TYPES:
        return TypedForm(FormData())
    if kind == FORM_TYPES[0] and (await request.body()).count(b"&") >= MOST_FIELDS:
        raise _wrong("too-many-fields")
    try:
        return TypedForm(await request.form(max_files=MOST_FILES, max_fields=MOST_FIELDS))
    except HTTPException as error:
        if error.status_code == HTTPStatus.BAD_REQUEST:  # starlette's word for a form that is none, or too long
            raise _wrong("form-wrong") from error
        raise


def _wrong(code: str) -> Refused:
    return Refused(code, "The form is wrong: reload the page.", status=422)


Typed = Annotated[TypedForm, Depends(typed)]
