"""Define departments of the JSON API."""

from services.web.schemas import Answer


class DepartmentAnswer(Answer):
    id: str
    name_zh: str
    name_en: str
    kind: str
    superior_id: str | None
