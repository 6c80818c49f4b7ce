"""The documents as PDF/A-3b: what they say they are, their fonts, the data within, and that nothing breaks a page."""

import hashlib
import io
import subprocess
import sys
from typing import Any

import pytest
from lxml import etree
from paper_data import AGREEMENT, EACH, FORM, HASH, MADE, RECORD, canonical, item, pdf_of
from pypdf import PdfReader

from services.domain.cases.document_layouts import LAYOUTS
from services.domain.documents.service import SERIES
from services.rendering import glyphs

PDFA = "http://www.aiim.org/pdfa/ns/id/"
KINDS = pytest.mark.parametrize("kind", sorted(EACH))


def read(pdf: bytes) -> PdfReader:
    return PdfReader(io.BytesIO(pdf))


def text_of(pdf: bytes) -> str:
    """All that is on the pages, without the breaks of lines and pages."""
    return "".join("".join(page.extract_text() for page in read(pdf).pages).split())


def fonts_of(pdf: bytes) -> list[Any]:
    return [font.get_object() for page in read(pdf).pages for font in page["/Resources"]["/Font"].values()]


def test_every_numbered_kind_has_its_layout() -> None:
    assert set(LAYOUTS) == {"application-form", *SERIES} - {"application"} == set(EACH)


@pytest.mark.requirement("R28", "R35", "R37", "R47")
@KINDS
def test_a_document_says_that_it_is_pdf_a_3b(kind: str) -> None:
    reader = read(pdf_of(kind, EACH[kind]))

    xmp = etree.fromstring(reader.trailer["/Root"]["/Metadata"].get_object().get_data())
    told = {name: xmp.findtext(f".//{{{PDFA}}}{name}") for name in ("part", "conformance")}
    told |= {name: value for node in xmp.iter() for name, value in _pdfa(node.attrib).items()}
    assert told == {"part": "3", "conformance": "B"}
    assert reader.trailer["/Root"]["/OutputIntents"][0].get_object()["/S"] == "/GTS_PDFA1"
    assert reader.metadata is not None
    assert reader.metadata.title == f"{EACH[kind]['title']} XX-2031-000001"
    assert reader.metadata.creation_date == MADE.replace(microsecond=0)


def _pdfa(attributes: Any) -> dict[str, str]:
    return {name.split("}")[1]: value for name, value in attributes.items() if name.startswith(f"{{{PDFA}}}")}


@KINDS
def test_every_font_is_inside(kind: str) -> None:
    pdf = pdf_of(kind, EACH[kind])

    descriptors = [
        below.get_object()["/FontDescriptor"] for font in fonts_of(pdf) for below in font["/DescendantFonts"]
    ]
    names = {one["/FontName"].split("+")[1] for one in descriptors}
    assert all({"/FontFile2", "/FontFile3"} & set(one) for one in descriptors)
    assert names <= {"NotoSerifSC-Regular", "DejaVuSansMono"}
    assert "NotoSerifSC-Regular" in names


@pytest.mark.requirement("R28", "R35", "R47")
@KINDS
def test_the_data_are_attached_byte_for_byte(kind: str) -> None:
    pdf = pdf_of(kind, EACH[kind])

    data = canonical(EACH[kind]).encode()
    assert {name: list(held) for name, held in read(pdf).attachments.items()} == {"data.json": [data]}
    assert f"SHA-256{hashlib.sha256(data).hexdigest()}" in text_of(pdf)


@KINDS
def test_the_same_data_make_the_same_bytes(kind: str) -> None:
    assert pdf_of(kind, EACH[kind]) == pdf_of(kind, EACH[kind])


def test_another_process_makes_the_same_bytes() -> None:
    code = "from paper_data import EACH, pdf_of; import sys; sys.stdout.buffer.write(pdf_of('label', EACH['label']))"
    environment = {"PYTHONPATH": ":".join(sys.path)}
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env=environment)

    assert made.stdout == pdf_of("label", EACH["label"])


@KINDS
def test_the_head_and_the_foot_stand_on_each_page(kind: str) -> None:
    pdf = pdf_of(kind, EACH[kind])

    pages = [page.extract_text().replace("\n", " ") for page in read(pdf).pages]
    for number, page in enumerate(pages, 1):
        assert "编号：XX-2031-000001" in page
        assert f"第 {number} 页 共 {len(pages)} 页" in page
        assert "示例制造有限公司" in page
    assert "Asia/Shanghai" in pages[0]
    assert "DEMO" not in pages[0]


@KINDS
def test_what_was_made_under_a_turned_clock_says_demo_on_each_page(kind: str) -> None:
    pages = read(pdf_of(kind, {**EACH[kind], "demo": True})).pages

    assert all("DEMO" in page.extract_text() for page in pages)


@pytest.mark.requirement("R25", "R28")
def test_a_form_shows_who_signed_how_and_when() -> None:
    text = text_of(pdf_of("application-form", FORM))

    for told in ("王芳", "密码和验证码签字", "2031-03-0409:00:08", HASH[:24], "同意调取", "已签字"):
        assert told in text


@pytest.mark.requirement("R35")
def test_a_record_shows_times_people_and_content() -> None:
    text = text_of(pdf_of("retrieval-record", RECORD))

    for told in ("胡涛", "李强", "2031-03-0409:00:02.000至2031-03-0409:00:08.000", "北门（通道gate）", HASH, "完整"):
        assert told in text


@pytest.mark.requirement("R37")
def test_a_label_names_source_and_time_of_retrieval() -> None:
    text = text_of(pdf_of("label", EACH["label"]))

    for told in (
        "一号厂区",
        "一号录像机（AcmeR1）",
        "DQ-2031-000001",
        "调取时间2031-03-0409:00:08",
        "不得剪辑",
        "copy-1",
    ):
        assert told in text


@pytest.mark.requirement("R47")
def test_a_custody_log_shows_every_line_with_its_hash() -> None:
    text = text_of(pdf_of("custody-log", EACH["custody-log"]))

    for told in ("移交待签收", "查看第1项副本", "王芳", "系统", f"{'0' * 24}…{HASH[:24]}…"):
        assert told in text


HOSTILE = (
    '#panic("x")',
    "#set page(width: 1pt)",
    "*粗* _斜_ `码` $x^2$ = 标题",
    "@参考 <标签> \\ \\u{41} // 注 /* 注 */",
    '"; #read("/etc/passwd")',
    "#sys.inputs",
)


@pytest.mark.requirement("R52")
@pytest.mark.parametrize("typed", HOSTILE)
def test_nothing_that_people_typed_is_read_as_markup(typed: str) -> None:
    form = {**FORM, "reason": typed, "drafter": {"name": typed}, "organisation": typed, "title": typed}
    pdf = pdf_of("application-form", form, number="SQ-#1*_@\\")

    assert text_of(pdf).count("".join(typed.split())) >= 4
    assert "编号：SQ-#1*_@\\" in text_of(pdf)
    assert read(pdf).pages[0].mediabox.width == pytest.approx(595.28, abs=0.1)


@pytest.mark.parametrize("letter", ["𠮷", "😀", "\u202e", "\u200b", "\x07", "\ue000", "\u2029"])
def test_a_character_that_nobody_would_see_is_told_by_its_code_point(letter: str) -> None:
    form = {**FORM, "drafter": {"name": f"王{letter}芳"}}
    pdf = pdf_of("application-form", form)

    assert f"王〔U+{ord(letter):04X}〕芳" in text_of(pdf)
    assert "原字符见所附数据" in text_of(pdf)
    assert read(pdf).attachments["data.json"] == [canonical(form).encode()]


def test_nothing_is_said_of_code_points_where_there_are_none() -> None:
    assert "原字符见所附数据" not in text_of(pdf_of("application-form", {**FORM, "reason": "原样写下〔U+20BB7〕"}))


def test_the_font_shows_every_chinese_character_of_gbk() -> None:
    pairs = (bytes((lead, trail)) for lead in range(0x81, 0xFF) for trail in range(0x40, 0xFF))
    gbk = {text for pair in pairs for text in [pair.decode("gbk", "ignore")] if len(text) == 1}
    assert len(gbk) > 21_000

    assert {letter for letter in gbk if glyphs.visible(letter) != letter} == {"\x7f", "≒"}


def test_names_in_rare_characters_of_extension_a_are_shown() -> None:
    assert "㑇䶮喆" in text_of(pdf_of("application-form", {**FORM, "drafter": {"name": "㑇䶮喆"}}))


def test_three_hundred_items_and_a_long_text_go_over_pages_under_their_heads() -> None:
    long = {**FORM, "items": [item(number) for number in range(1, 301)], "reason": "事由很长。" * 2000}
    pages = [page.extract_text() for page in read(pdf_of("application-form", long)).pages]

    text = "".join("".join(pages).split())
    assert text.count("很") == 2000
    assert all(f"{number}.北门" in text for number in (1, 150, 300))
    with_items = [page for page in pages if ". 北门" in page]
    assert len(with_items) > 5
    assert all("申请时间段" in page and "二、录像范围" in page for page in with_items)


@KINDS
def test_the_data_of_an_older_release_may_lack_what_was_added_since(kind: str) -> None:
    assert read(pdf_of(kind, {})).pages


def test_lines_of_an_agreement_stay_lines() -> None:
    [page] = read(pdf_of("confidentiality-agreement", AGREEMENT)).pages
    lines = page.extract_text().splitlines()

    assert "一、承诺保密。" in lines
    assert "二、按时归还。" in lines
