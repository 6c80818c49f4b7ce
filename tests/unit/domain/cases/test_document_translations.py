"""A document in the reader's language: every kind, every text of its layout, and never taken for the original."""

import ast
import io
import json
import re
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from lent_case import lend
from paper_data import EACH, HASH, MADE, canonical
from portal_client import Portal
from pypdf import PdfReader
from review_desk import ReviewDesk

from services.database.tables.audit import AuditEvent
from services.database.tables.documents import Document
from services.domain.cases import document_layouts, document_translations
from services.domain.stages.catalogue import STAGES
from services.rendering import pdf
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


@pytest.mark.parametrize("kind", EACH)
def test_each_kind_of_document_is_a_pdf_in_english_that_says_that_it_is_not_the_signed_one(kind: str) -> None:
    content = json.loads(canonical(EACH[kind]))
    sheet = document_translations.translate(kind, "XX-2031-000001", HASH, content, "en")
    made = pdf.render_translation(sheet, content["title"], "en", MADE)
    reader = PdfReader(io.BytesIO(made))
    text = "".join("".join(page.extract_text() for page in reader.pages).split())
    for said in ("Thisisnotthesigneddocument.", f"《{content['title']}》XX-2031-000001,SHA-256{HASH}", sheet.title):
        assert "".join(said.split()) in text
    assert reader.metadata is not None
    assert reader.metadata.title == f"Translation of XX-2031-000001: {sheet.title}"
    assert not reader.attachments  # nobody takes it for the original, whose data a clerk would look for
    originals = pdf.words_of("zh")
    assert [name for name in ("footer", "by_hand", "verifiers") if originals[name][:8] in text] == []


@pytest.mark.parametrize("language", document_translations.languages())
def test_each_language_of_documents_has_all_words_that_every_document_says(language: str) -> None:
    assert pdf.words_of(language).keys() == pdf.words_of("en").keys()
    needless = {"by_hand", "verifiers"}  # a translation is neither signed nor filed
    assert pdf.words_of("zh").keys() - needless <= pdf.words_of(language).keys()


def all_texts(tree: Any) -> Iterator[str]:
    if isinstance(tree, str):
        yield tree
    for part in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list | tuple) else ():
        yield from all_texts(part)


@pytest.mark.parametrize("kind", EACH)
def test_what_is_left_in_chinese_is_what_people_wrote(kind: str) -> None:
    content = json.loads(canonical(EACH[kind]))
    sheet = document_translations.translate(kind, "XX-2031-000001", HASH, content, "en")
    written = sorted({text for text in all_texts(content) if CHINESE.search(text)}, key=len, reverse=True)
    left = []
    for text in filter(CHINESE.search, all_texts(asdict(sheet))):
        bare = text
        for own in written:
            bare = bare.replace(own, "")
        # what somebody wrote as a sentence of its own keeps the words before it
        if CHINESE.search(bare) and not re.fullmatch("非本系统制作：|.*在场人：", bare):
            left.append(text)
    assert left == []


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
    assert [zh for zh in words if re.search(r"\{\w", zh)] == []  # a place has no name


def test_a_word_of_the_layout_is_translated_and_what_people_wrote_is_not() -> None:
    content = json.loads(canonical(EACH["application-form"]))
    content["reason"] = "约 3 天前，三号门附近物料下落不明，需要核对 5 天"
    sheet = document_translations.translate("application-form", "SQ-1", HASH, content, "en")
    facts = {name: cell for part in sheet.parts if isinstance(part, Facts) for row in part.rows for name, cell in row}
    assert facts["Reason"][0].text == content["reason"]
    assert facts["Use period applied for"][0].text == "7 days"
    assert sheet.title == "Video Retrieval Application Form"
    assert not any(isinstance(part, Drawings | Columns | Prose) for part in sheet.parts[:1])


def test_questions_of_a_verification_and_what_is_counted_are_in_the_readers_language() -> None:
    order = json.loads(canonical(EACH["corrective-action"]))
    asked = STAGES["work-order-verification"].questions
    order["attempts"][0]["questions"] = [{"question": question.zh, "answer": "yes"} for question in asked]
    sheet = document_translations.translate("corrective-action", "ZG-1", HASH, order, "en")
    said = "\n".join(all_texts(asdict(sheet)))
    assert "\n".join(f"{question.en} yes" for question in asked) in said

    report = json.loads(canonical(EACH["inspection-report"]))
    report["numbers"]["closedAs"] = {"rejected": 2, "expired": 1}
    sheet = document_translations.translate("inspection-report", "JC-1", HASH, report, "en")
    assert "rejected 2, expired 1" in list(all_texts(asdict(sheet)))


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
        assert f'href="/api/documents/{form.number}/translation/en/pdf"' in answer.text
        kept = await reader.get(f"/api/documents/{form.number}/translation/en/pdf")
        assert kept.headers["content-disposition"] == f'attachment; filename="{form.number}-en.pdf"'
        assert "not the signed document" in PdfReader(io.BytesIO(kept.content)).pages[0].extract_text()
        stranger = await portal.signed_in("office-head")
        for form_of in ("", "/pdf"):
            assert (await reader.get(f"/api/documents/{form.number}/translation/fr{form_of}")).status_code == 404
            assert (await stranger.get(f"/api/documents/{form.number}/translation/en{form_of}")).status_code == 404
    forms = [json.loads(event.entry)["detail"].get("form") for event in desk.all(AuditEvent, action="document-read")]
    assert forms.count("translation") == 4  # whoever asks for a language that we lack has asked for the document too
    desk.close()
