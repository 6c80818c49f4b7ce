"""What becomes of a notice, answer by answer: docs/notices.md says what a server that gives each of them shows."""

import re
from datetime import timedelta

import pytest
from channels.answers import ANSWERS, EACH, Answer
from channels.judged import judged
from channels.table import BEGIN, DOCUMENT, END, NO_ERRORS, row, sentences

from services.domain.notifications.channels.apps import SERVICES, TokenEnded
from services.domain.notifications.channels.errors import ERRORS, Undelivered
from services.domain.notifications.channels.robots import check_answer

CODE = re.compile(r"\| `([a-z-]+)` \|")
# Those that showed what was wrong are given each time; all of them take minutes.
QUICKLY = {
    "`554 no mail from your address`",
    "`454 TLS not available`",
    "no AUTH offered",
    "`454 temporary authentication failure`",
    "`250 que`: cut off",
}
WRITTEN = [one for one in ANSWERS if one.channel in ("robot", "app") and one.kind]


def named(answer: Answer) -> str:
    return "-".join(filter(None, (answer.channel, answer.kind, answer.to, answer.en.replace(" ", "_"))))


def lines() -> list[str]:
    return DOCUMENT.read_text(encoding="utf-8").splitlines()


@pytest.mark.requirement("R30")
@pytest.mark.parametrize(
    "answer",
    [one if one.en in QUICKLY else pytest.param(one, marks=pytest.mark.slow) for one in ANSWERS],
    ids=named,
)
def test_what_becomes_of_an_answer_is_what_the_table_says(answer: Answer) -> None:
    assert row(answer) in lines(), "make channel-docs writes it anew"
    verdict = judged(answer)
    if verdict.code in NO_ERRORS:
        return
    # whatever a server says: nothing is lost in silence, and nobody is asked for ever
    assert verdict.told is not None
    assert verdict.lasted <= timedelta(hours=30)
    assert verdict.head == (answer.channel == "mail")
    assert verdict.instead == (answer.channel == "app")


@pytest.mark.parametrize("answer", WRITTEN, ids=named)
def test_an_answer_of_a_chat_service_means_what_the_table_says(answer: Answer) -> None:
    """The quick part: the answer alone, without a server."""
    [code] = {CODE.findall(line)[0] for line in lines() if f"| {answer.en} | `" in line and _of(answer) in line}
    head, _, body = (answer.says or b"").partition(b"\r\n\r\n")
    status = int(head.split()[1])
    if answer.channel == "robot":
        said = _outcome(lambda: check_answer(answer.kind, status, body))
    else:
        service = SERVICES[answer.kind]
        read = service.read_token if answer.to == "token" else service.check
        said = _outcome(lambda: read(status, body))
    assert said == code
    assert said in (*NO_ERRORS, *ERRORS)


def _of(answer: Answer) -> str:
    service = {"wecom": "WeCom", "dingtalk": "DingTalk", "feishu": "Feishu"}[answer.kind]
    return f"| {service} | {answer.to} |" if answer.channel == "app" else f"| {service} | `"


def _outcome(read: object) -> str:
    try:
        read()  # type: ignore[operator]  # a function without arguments
    except TokenEnded:
        return "renewed"
    except Undelivered as error:
        return error.code
    return "taken"


def test_the_page_has_each_answer_and_no_other() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    for channel in ("robot", "app", "mail", "webhook"):
        part = text.partition(BEGIN.format(channel))[2].partition(END.format(channel))[0]
        said = [line for line in part.splitlines() if line.startswith("| ")][1:]
        wanted = [one.en for one in ANSWERS if one.channel == channel]
        assert len(said) == len(wanted) >= 20
        assert all(f" {en} |" in line for en, line in zip(wanted, said, strict=True)), "make channel-docs"
    codes = {code for line in text.splitlines() for code in CODE.findall(line)}
    assert sentences(codes - set(NO_ERRORS)) in text, "make channel-docs writes it anew"


def test_there_are_answers_of_each_service() -> None:
    of_robots = {one.kind for one in WRITTEN if one.channel == "robot"}
    of_apps = {(one.kind, one.to) for one in WRITTEN if one.channel == "app"}
    assert of_robots == set(EACH)
    assert of_apps == {(kind, to) for kind in EACH for to in ("token", "message")}
