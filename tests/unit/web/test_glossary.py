"""One word for one thing: the catalogues use the words of docs/glossary.md, and none that it replaced."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from babel.messages.pofile import read_po
from support.messages import marked

from services.runtime.places import SERVICES

ROOT = SERVICES.parent
GLOSSARY = ROOT / "docs" / "glossary.md"
HOLES = re.compile(r"%\(\w+\)[sd]|\{\w*\}|[\w-]+\.(?:json|yaml|md)")  # and names of files

# Words that are also said of other things: their Chinese is required where a text is the word alone.
LOOSE = {
    "case": "also any event: describe the case",
    "reason": "also why a decision is so, 理由, and why something failed, 原因",
    "stage": "also the name of a value",
    "review": "a sentence names the kind of review, or 待办, what waits",
    "sign": "agreements are signed too, 签订, and people sign in, 登录",
    "outcome": "also the name of a value",
    "release": "also a version of the program, and a duty among others",
    "footage": "left out in Chinese where the sentence has it already; the program's name",
    "copy": "also a verb",
    "frame": "one that is shown is 画面, as in a still picture",
    "accept": "also what a server does",
    "return": "an application is returned too, 退回",
    "account": "also in: to account for",
    "absence": "left out in Chinese on a button beside the absence",
    "incident": "also what an application is about, 事件",
    "notice": "also a verb, and left out in Chinese",
    "rule": "also the rules of security, 规定",
    "register": "also a verb",
}

# What the words of the glossary replaced, in English.
REFUSED = {
    r"hand(s|ed|ing)? in(?! person)": "submit",
    r"br(ing|ings|ought)": "upload",
    r"on its way": "in progress, being sent",
    r"where (it|the cases?|each case) stands?": "status, current step",
    r"next to be overwritten": "at risk of overwrite",
    r"(all|nothing) of it is there": "complete, no footage",
    r"by its picture": "verify the camera view",
    r"tak(e|en|ing) up": "accept; acceptance deadline",
    r"enter (a|an|the) (person|department|camera|recorder|list|absence)": "add, import",
    r"copies out": "copies on loan",
    r"call(ed)? off|do without|go(es)? on": "cancel, turn off, continue",
    r"examin\w+|(is|are) well|look(s|ed|ing)? (at|again|into)": "check",
    r"books?": "register, database, people",
    r"whoever|whom|somebody|anybody|everybody": "the requester, the person concerned, another person, everyone",
    r"tells?|told": "notify, inform, contact, report",
    r"anew|again later on": "again",
    r"under way": "in progress",
    r"pictures?|fetch(ed|es|ing)?": "frame, image; retrieve, download",
    r"this desk|(?<!identity )provider": "Footage Desk, identity provider",
    r"sees? no|(?<!delivered )no more|any more|opens? nothing": "cannot view, no longer",
    r"put back(?! into use)": "unclaim",
    r"take back": "put back into use",
    r"says? (why|of|that|the)|have (it|the|an?) \w+ (check|look)": "enter a reason; ask the administrator to check",
}
REFUSED_IN_DOCS = (
    r"hand(s|ed|ing)? in (an?|the) (application|form|draft|correction)",
    r"copies out",
    r"next to be overwritten",
    r"tak(e|en|es|ing) up (an?|the) cop(y|ies)",
    r"books? of people",
    r"br(ing|ought) (an?|the) (recording|file)",
)
USER_DOCS = (
    "README.md",
    "docs/login.md",
    "docs/notices.md",
    "docs/process.md",
    "docs/recorders.md",
    "docs/runbooks/*.md",
)

# And in Chinese.
REFUSED_CHINESE = {
    "会签": "联合部门同意",
    "母本": "主档",
    "账户": "账号",
    "职务": "岗位",
    "门户|网页": "本系统",
    "操作人(?!员)|存储管理员": "存储操作员",
    "统一登录|登录服务": "统一认证",
    "遗失": "丢失",
    "认领": "领取",
    "安全部门": "安全保卫部门",
    "交接": "移交",
    "封装": "封存",
    "存储管理部门": "存储部门",
    "回调": "消息推送",
    "事件当事人|本案当事人": "涉及人员",
    "催办": "提醒",
    "准许|核准": "批准",
    "归档": "存档",
    "登记簿": "登记台账",
    "摄像机": "摄像头",
    "自身时间": "录像机时间",
    "第二人确认": "第二人复核",
    "取回": "调取, 下载",
    "在外副本": "借出副本",
    "签名": "签字",
}
# Texts with such a word that says something else.
ALLOWED = {
    "封装结构": "the container of a video file",
    "打开其网页": "the recorder's own pages",
    "网页地址": "the same",
    "网页": "a file of HTML, as one that is no recording",
    "通行密钥的签名无效": "the cryptographic signature of a passkey",
}


def terms() -> list[tuple[tuple[str, ...], str]]:
    """Return the Chinese words and the English word of each row of the glossary."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in GLOSSARY.read_text().splitlines()
        if line.startswith("|")
    ]
    return [(tuple(row[0].split("、")), row[1]) for row in rows if row[0] not in ("中文", "---")]


def texts() -> dict[tuple[str | None, str], str]:
    """Return the Chinese of each text of pages, notices and documents."""
    used = {text.key for text in marked()}
    found = {}
    for file in SERVICES.rglob("locale/zh.po"):
        with file.open("rb") as source:
            for entry in read_po(source, locale="zh"):
                msgid = entry.id if isinstance(entry.id, str) else entry.id[0]
                string = entry.string if isinstance(entry.string, str) else entry.string[0]
                if (entry.context, msgid) in used:
                    found[entry.context, msgid] = string
    return found


@pytest.fixture(scope="module")
def catalogue() -> dict[tuple[str | None, str], str]:
    return texts()


def says(english: str) -> re.Pattern[str]:
    """Match the word and its plural; a name that begins with a capital letter as it is written."""
    return re.compile(rf"\b{re.escape(english)}(s|es)?\b", 0 if english[0].isupper() else re.IGNORECASE)


def test_the_glossary_has_each_word_once() -> None:
    english = [word for _, word in terms()]
    chinese = [words[0] for words, _ in terms()]

    assert sorted(set(english)) == sorted(english)
    assert sorted(set(chinese)) == sorted(chinese)
    assert len(english) > 80
    assert set(LOOSE) <= set(english)


@pytest.mark.parametrize(("chinese", "english"), terms(), ids=lambda value: value if isinstance(value, str) else None)
def test_a_word_has_the_same_chinese_everywhere(
    chinese: tuple[str, ...], english: str, catalogue: Mapping[tuple[str | None, str], str]
) -> None:
    word = says(english)
    matches = word.fullmatch if english in LOOSE else word.search
    places = {key: string for key, string in catalogue.items() if word.search(HOLES.sub("", key[1]))}

    assert places, "no text has this word"
    assert {
        key: string
        for key, string in places.items()
        if matches(HOLES.sub("", key[1])) and not any(own in string for own in chinese)
    } == {}


@pytest.mark.parametrize("pattern", REFUSED)
def test_a_replaced_word_stands_in_no_text(pattern: str, catalogue: Mapping[tuple[str | None, str], str]) -> None:
    word = re.compile(rf"\b({pattern})\b", re.IGNORECASE)
    everything = [*(msgid for _, msgid in catalogue), *(text for language, text in stages() if language == "en")]

    assert [text for text in everything if word.search(HOLES.sub("", text))] == []


@pytest.mark.parametrize("pattern", REFUSED_CHINESE)
def test_a_replaced_chinese_word_stands_in_no_text(
    pattern: str, catalogue: Mapping[tuple[str | None, str], str]
) -> None:
    files = [*ROOT.glob("bpmn/*.bpmn"), *ROOT.glob("bpmn/*.dmn"), *ROOT.glob("bpmn/.camunda/element-templates/*.json")]
    everything = [
        *catalogue.values(),
        *(text for language, text in stages() if language == "zh"),
        *(line.strip() for file in files for line in file.read_text().splitlines()),
    ]

    assert [text for text in everything if re.search(pattern, without_allowed(text))] == []


def without_allowed(text: str) -> str:
    for allowed in ALLOWED:
        text = "" if text == allowed else text.replace(allowed, "") if len(allowed) > 2 else text
    return text


@pytest.mark.parametrize("allowed", ALLOWED)
def test_an_exception_is_still_needed(allowed: str, catalogue: Mapping[tuple[str | None, str], str]) -> None:
    assert any(allowed in string for string in catalogue.values())


def stages() -> Iterator[tuple[str, str]]:
    """Return the texts of the review stages with their language."""
    yield from _texts_of(json.loads((ROOT / "bpmn" / "review-stages.json").read_text()))


def _texts_of(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, below in value.items():
            if key in ("zh", "en") and isinstance(below, str):
                yield key, below
            else:
                yield from _texts_of(below)
    elif isinstance(value, list):
        for below in value:
            yield from _texts_of(below)


def user_docs() -> list[Path]:
    return sorted(file for pattern in USER_DOCS for file in ROOT.glob(pattern))


@pytest.mark.parametrize("file", user_docs(), ids=lambda file: file.name)
def test_docs_for_users_use_the_same_words(file: Path) -> None:
    lines = file.read_text().splitlines()
    pattern = re.compile(rf"\b({'|'.join(REFUSED_IN_DOCS)})\b", re.IGNORECASE)

    assert [line for line in lines if pattern.search(line) or re.search("会签|母本|账户|遗失|回调", line)] == []
