"""What a person typed into a page's form, and the same body from it that the JSON API takes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request
from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData, UploadFile

from services.portal.api.errors import sentence
from services.runtime.errors import Refused

CSRF_FIELD = "csrf_token"
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
            zh, en = sentence(first["type"], {**first.get("ctx", {}), "field": field, "message": first["msg"]})
            raise Refused(first["type"].replace("_", "-"), zh, en, status=422, field=field) from error

    def _values(self, model: type[BaseModel]) -> dict[str, Any]:
        lists = {info.alias or name for name, info in model.model_fields.items() if "list[" in str(info.annotation)}
        values: dict[str, Any] = {}
        for name in dict.fromkeys(self.fields):
            texts = [text for text in self.all(name) if text.strip()]
            if name == CSRF_FIELD or not texts:
                continue
            values[name] = texts if name in lists else texts[-1]
        return values


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """``{"items-0-zone": x}`` as ``{"items": [{"zone": x}]}``; numbers become places in a list, in their order."""
    tree: dict[str, Any] = {}
    for name, value in values.items():
        *way, last = name.split("-")
        branch = tree
        for step in way:
            following = branch.setdefault(step, {})
            if not isinstance(following, dict):
                raise Refused(
                    "field-twice", "表单内容有误，请刷新页面。", "The form is wrong: reload the page.", status=422
                )
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
    """The form of this request; empty where its body is none. Its CSRF token is checked by ``visitor``."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() not in FORM_TYPES:
        return TypedForm(FormData())
    return TypedForm(await request.form(max_files=20, max_fields=5000))


Typed = Annotated[TypedForm, Depends(typed)]
