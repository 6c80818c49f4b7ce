"""The application form as a body: what is asked for, and the same to read again (R16 to R21)."""

from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from services.domain.access.namesakes import PersonToChoose
from services.domain.applications import forms
from services.web.schemas import Answer, Body, Code, Identifier, Line, Moment, Paragraph, one_line

ShortTitle = Annotated[str, Field(max_length=forms.LONGEST_TITLE), AfterValidator(one_line)]


class Colleague(PersonToChoose):
    """``mayBeCustodian``: no administrator (R2); ``agreement``: a valid confidentiality agreement (R46, R59).

    ``username`` is null, except where another active person of the department has the same name.
    """

    department_id: str
    agreement: bool
    may_be_custodian: bool


class CaseAbout(Answer):
    """What a case is about, for a line of a list.

    ``camera``, ``place`` and ``zone`` are those of the first item that is asked for, ``cameras`` counts the different
    ones; ``start`` and ``end`` reach over all of them. Without an item they are null.
    """

    title: str | None
    purpose_category: str
    camera_zh: str | None = None
    camera_en: str | None = None
    place_zh: str | None = None
    place_en: str | None = None
    cameras: int = 0
    start: Moment | None = None
    end: Moment | None = None
    zone: str | None = None


class CameraChoice(Answer):
    """A camera that can be asked for; ``zone`` is the time zone that its spans are typed in.

    ``referencePicture``: there is one to know it by. ``uploaded``: a file that a person uploaded, in a camera's place;
    ``site`` is who recorded it.
    """

    id: str
    name_zh: str
    name_en: str
    place_zh: str
    place_en: str
    camera_class: str
    site: str
    zone: str
    retention_days: int
    reference_picture: bool = False
    uploaded: bool = False


class ItemAsked(Body):
    """One camera and one span. A file that was uploaded is named by ``upload_id`` in the camera's place."""

    camera_id: Identifier | None = None
    upload_id: Identifier | None = None
    start: Moment
    end: Moment
    zone: Line = "Asia/Shanghai"

    @property
    def place(self) -> str:
        """Return the camera's id, or the upload's."""
        return self.camera_id or self.upload_id or ""

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.camera_id is None) == (self.upload_id is None):
            raise PydanticCustomError("missing", "name a camera or an upload")
        return self


class Form(Body):
    """The application form 《视频录像调取申请表》; drafter and department are those of the signed-in person.

    A draft may leave out anything; ``/api/applications/check`` says what is missing. ``title`` says in a few words
    what it is about, for lists: no names of those who were filmed.
    """

    title: ShortTitle | None = None
    reason: Paragraph = ""
    purpose: Paragraph = ""
    purpose_category: Code = ""
    legal_basis: Code = ""
    way_of_use: Line | None = None  # the usual one: on site where there is a station, else viewing
    way_of_use_because: Paragraph = ""
    place_of_use: Paragraph = ""
    requested_use_days: Annotated[int, Field(ge=1, le=3650)] = forms.USUAL_USE_DAYS
    custodian_id: Identifier | None = None
    recipient_ids: Annotated[list[Identifier], Field(max_length=100, default_factory=list)]
    items: Annotated[list[ItemAsked], Field(max_length=100, default_factory=list)]
    incident_reference: Paragraph | None = None
    subject_ids: Annotated[list[Identifier], Field(max_length=100, default_factory=list)]
    urgent_because: Paragraph | None = None
    important_information: bool = False
    sensitive_event: bool = False
    high_impact: bool = False
    sensitivities: Annotated[list[Line], Field(max_length=20, default_factory=list)]
    rule_ids: Annotated[list[Identifier], Field(max_length=50, default_factory=list)]
    joint_department_ids: Annotated[list[Identifier], Field(max_length=20, default_factory=list)]

    def to_form(self) -> forms.Form:
        values: dict[str, Any] = {name: getattr(self, name) for name in Form.model_fields}
        values["way_of_use"] = self.way_of_use or ""
        values["recipient_ids"] = tuple(self.recipient_ids)
        values["subject_ids"] = tuple(self.subject_ids)
        values["sensitivities"] = tuple(self.sensitivities)
        values["rule_ids"] = tuple(self.rule_ids)
        values["joint_department_ids"] = tuple(self.joint_department_ids)
        values["items"] = tuple(forms.ItemAsked(item.place, item.start, item.end, item.zone) for item in self.items)
        return forms.Form(**values)

    @classmethod
    def from_form(cls, form: forms.Form) -> "Form":
        """Return the body that gives this form."""
        values = {name: getattr(form, name) for name in Form.model_fields}
        lists = {name: list(value) for name, value in values.items() if isinstance(value, tuple)}
        items = [ItemAsked.model_construct(**vars(item)) for item in form.items]
        return Form.model_construct(**values | lists | {"items": items})
