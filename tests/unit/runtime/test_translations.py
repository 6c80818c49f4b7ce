"""Messages: values that are texts themselves, contexts, numbers, and what has no translation."""

from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Bilingual, Capitalised, Counted, Joined, Message, in_context, translate


def test_a_value_may_be_a_text_itself() -> None:
    refusal = NotFound(Message("camera"), "7")

    assert refusal.zh == "没有找到摄像头 7。"
    assert refusal.en == str(refusal) == "There is no camera 7."


def test_braces_of_a_value_are_not_filled_in() -> None:
    assert Refused("x", "There is no {noun} {key}.", noun="{key}", key="{0}").zh == "没有找到{key} {0}。"


def test_a_sentence_without_values_stays_as_it_is() -> None:
    assert Message("{not a value}").zh == "{not a value}"


def test_a_context_tells_translations_apart() -> None:
    sentence = "You are not signed in: please sign in."

    assert in_context("logged-out", sentence).zh != Message(sentence).zh
    assert in_context("logged-out", sentence).en == Message(sentence).en


def test_numbers_and_names_are_joined_as_the_language_does() -> None:
    days = [Counted("{count} day", "{count} days", count) for count in (1, 2)]

    assert [day.en for day in days] == ["1 day", "2 days"]
    assert [day.zh for day in days] == ["1 天", "2 天"]
    assert Joined(", ", ("A", Message("camera"))).zh == "A、摄像头"
    assert Joined(", ", ("A", Message("camera"))).en == "A, camera"


def test_data_in_two_languages_is_read_in_english_elsewhere() -> None:
    gate = Bilingual("大门", "gate")

    assert [gate.translate(language) for language in ("zh", "en", "fr")] == ["大门", "gate", "gate"]
    assert Capitalised(gate).en == "Gate"


def test_what_has_no_translation_stays_english() -> None:
    assert translate("zh", "no such text") == translate("fr", "no such text") == "no such text"
