"""A document in the reader's language: every kind, every text of its layout, and never taken for the original."""

import ast
import json
import re
from pathlib import Path

import pytest
from lent_case import lend
from paper_data import EACH, HASH, canonical
from portal_client import Portal
from review_desk import ReviewDesk

from services.database.tables.audit import AuditEvent
from services.database.tables.documents import Document
from services.domain.cases import document_layouts, document_translations
from services.rendering.sheet import Columns, Drawings, Facts, Listing, Prose, Sheet, Signatures
from services.runtime.errors import NotFound
from services.runtime.places import SERVICES

CHINESE = re.compile("[\u3400-\u9fff]")
MARKS = re.compile("[\u3400-\u9fff，。：；（）《》、]")
NUMERALS = re.compile("[一二三四五六七八九十]+|[，、；《）]")


def laid_out_names(sheet: Sheet) -> list[str]:
    """The texts that the layout says, and nobody typed."""
    names = [sheet.title]
    for part in sheet.parts:
        names.append(part.title)
        if isinstance(part, Facts):
            names += [name for row in part.rows for name, _ in row]
        elif isinstance(part, Listing):
            names += part.heads
        elif isinstance(part, Signatures):
            names += [block.method for block in part.blocks]
    return names


@pytest.mark.parametrize("kind", EACH)
def test_each_kind_of_document_reads_in_english_with_the_same_parts(kind: str) -> None:
    content = json.loads(canonical(EACH[kind]))
    original = document_layouts.sheet_of(kind, "XX-2031-000001", HASH, content)
    sheet = document_translations.translate(kind, "XX-2031-000001", HASH, content, "en")
    assert [type(part) for part in sheet.parts] == [type(part) for part in original.parts]
    own_words = canonical(EACH[kind])
    lines = [name for name in laid_out_names(sheet) if CHINESE.search(name) and name not in own_words]
    assert [line for line in lines if not re.search(r"[A-Za-z]", line)] == []
    assert document_layouts.sheet_of(kind, "XX-2031-000001", HASH, content) == original  # Chinese again
    with pytest.raises(NotFound):
        document_translations.translate(kind, "XX-2031-000001", HASH, content, "fr")


def _texts(path: Path) -> set[str]:
    """The Chinese texts of a layout; what is filled in is ``{}``."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    said, inside = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node):
            inside.add(id(node.body[0].value))  # type: ignore[attr-defined]
        if isinstance(node, ast.JoinedStr):
            inside |= {id(value) for value in node.values}
            said.add("".join(one.value if isinstance(one, ast.Constant) else "{}" for one in node.values))  # type: ignore[misc]
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
            said.add(node.value)
    return {text for text in said if MARKS.search(text) and not NUMERALS.fullmatch(text)}


def test_every_text_of_the_layouts_has_a_translation() -> None:
    layouts = [
        path
        for path in (SERVICES / "domain").rglob("*.py")
        if path.stem.endswith("_sheet") or path.stem in ("documents", "loan_documents")
    ]
    assert len(layouts) > 15
    words = json.loads((SERVICES / "domain" / "cases" / "document_words.en.json").read_text(encoding="utf-8"))
    assert [text for path in layouts for text in sorted(_texts(path)) if text not in words] == []
    assert [zh for zh, en in words.items() if zh.count("{}") != en.count("{}") or CHINESE.search(en)] == []


def test_a_word_of_the_layout_is_translated_and_what_people_wrote_is_not() -> None:
    content = json.loads(canonical(EACH["application-form"]))
    content["reason"] = "约 3 天前，三号门附近物料下落不明，需要核对 5 天"
    sheet = document_translations.translate("application-form", "SQ-1", HASH, content, "en")
    facts = {name: cell for part in sheet.parts if isinstance(part, Facts) for row in part.rows for name, cell in row}
    assert facts["Reason"][0].text == content["reason"]
    assert facts["Use period applied for"][0].text == "7 days"
    assert sheet.title == "Video Retrieval Application Form"
    assert not any(isinstance(part, Drawings | Columns | Prose) for part in sheet.parts[:1])


def test_departments_of_a_report_on_an_inspection_are_named_in_the_readers_language() -> None:
    content = json.loads(canonical(EACH["inspection-report"]))
    [member] = content["group"]["members"]
    older = {**content, "group": {**content["group"], "members": [dict(member)]}}
    member["departmentEn"] = "Administration Office"

    def named(data: dict[str, object], language: str) -> str:
        sheet = (
            document_translations.translate("inspection-report", "JC-1", HASH, data, language)
            if language != "zh"
            else document_layouts.sheet_of("inspection-report", "JC-1", HASH, data)
        )
        [members] = [part for part in sheet.parts if isinstance(part, Listing) and len(part.rows[0]) == 3]
        return members.rows[0][1][0].text

    assert named(content, "en") == "Administration Office"
    assert named(content, "zh") == "行政部"
    assert named(older, "en") == named(older, "zh") == "行政部"  # of data that have no translation


def test_no_text_that_somebody_writes_keeps_the_translation_busy() -> None:
    content = json.loads(canonical(EACH["application-form"]))
    # each mark is one of a template, so that all ways of dividing it were tried
    content["reason"] = "某，某：某（某）；某、" * 200 + "某 至 " * 1000
    sheet = document_translations.translate("application-form", "SQ-1", HASH, content, "en")
    facts = {name: cell for part in sheet.parts if isinstance(part, Facts) for row in part.rows for name, cell in row}
    assert facts["Reason"][0].text == content["reason"]


async def test_a_reader_opens_it_beside_the_original_and_it_says_that_it_is_not_signed(any_database_url: str) -> None:
    desk = ReviewDesk(any_database_url)
    lend(desk)
    [form] = desk.all(Document, kind="application-form")
    async with Portal(desk) as portal:
        reader = await portal.signed_in("reviewer")
        answer = await reader.get(f"/api/documents/{form.number}/translation/en")
        assert answer.status_code == 200, answer.text
        for said in ("This is not the signed document", form.sha256, f"/api/documents/{form.number}/pdf", 'lang="en"'):
            assert said in answer.text
        assert "Applying department" in answer.text
        assert "申请部门" not in answer.text
        assert "申请部门" in (await reader.get(f"/api/documents/{form.number}/print")).text
        assert (await reader.get(f"/api/documents/{form.number}/translation/fr")).status_code == 404
        stranger = await portal.signed_in("office-head")
        assert (await stranger.get(f"/api/documents/{form.number}/translation/en")).status_code == 404
    forms = [json.loads(event.entry)["detail"].get("form") for event in desk.all(AuditEvent, action="document-read")]
    assert "translation" in forms
    desk.close()
