"""What departments and cameras are called, in both languages."""

from services.web.schemas import Answer


class DepartmentNamed(Answer):
    id: str
    name_zh: str
    name_en: str


class CameraNamed(Answer):
    id: str
    name_zh: str
    name_en: str
    place_zh: str
    place_en: str


class NamePair(Answer):
    """A name in both languages."""

    zh: str
    en: str
