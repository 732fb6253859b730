"""The 25 instruction types of IFEval, a text that follows and one that does not. Expectations by hand."""

import json
import time

import pytest

from amt.rewards.instructions import (
    CHECKS,
    UnknownInstructionError,
    follows,
    grade_instructions,
    loose,
    read_instructions,
    strict,
)

ENGLISH = "the weather is nice today and we are going to the beach with our friends"
GERMAN = "Das Wetter ist heute sehr schön und wir gehen mit unseren Freunden an den Strand."

CASES = {
    "keywords:existence": ({"keywords": ["sea", "sky"]}, "The Sea and the SKY.", "The sea."),
    "keywords:frequency": (
        {"keyword": "sea", "frequency": 2, "relation": "at least"},
        "Sea and sea.",
        "A sea.",
    ),
    "keywords:forbidden_words": ({"forbidden_words": ["sea"]}, "A seal swims.", "The Sea!"),
    "keywords:letter_frequency": (
        {"letter": "E", "let_frequency": 3, "let_relation": "less than"},
        "sEe",
        "see me",
    ),
    "language:response_language": ({"language": "de"}, GERMAN, ENGLISH),
    "length_constraints:number_sentences": (
        {"num_sentences": 3, "relation": "less than"},
        "Dr. Smith of the U.S. came at 5 p.m. and left. He ate.",
        "One. Two! Three?",
    ),
    "length_constraints:number_paragraphs": ({"num_paragraphs": 2}, "one\n***\ntwo", "one\n***\n\n***\ntwo"),
    "length_constraints:number_words": ({"num_words": 3, "relation": "at least"}, "one two-three", "one two"),
    "length_constraints:nth_paragraph_first_word": (
        {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "however"},
        'One.\n\n"However, two.',
        "However\n\nOne.",
    ),
    "detectable_content:number_placeholders": ({"num_placeholders": 2}, "Dear [name], from [place]", "Dear [name]"),
    "detectable_content:postscript": ({"postscript_marker": "P.S."}, "Bye.\np. s. more", "Bye. PS more"),
    "detectable_format:number_bullet_lists": ({"num_bullets": 2}, "* one\n- two", "* one\n* two\n* three"),
    "detectable_format:constrained_response": ({}, "Well: My answer is maybe.", "Perhaps."),
    "detectable_format:number_highlighted_sections": ({"num_highlights": 2}, "*one* and **two**", "*one* and * *"),
    "detectable_format:multiple_sections": (
        {"section_spliter": "SECTION", "num_sections": 2},
        "SECTION 1\na\nSECTION 2\nb",
        "Section 1\na\nSECTION 2\nb",
    ),
    "detectable_format:json_format": ({}, '```json\n{"a": [1, null]}\n```', "{'a': 1}"),
    "detectable_format:title": ({}, "<<Sea>>\nText", "<< >> <Sea>"),
    "combination:two_responses": ({}, "one\n******\ntwo", "one\n******\none"),
    "combination:repeat_prompt": ({"prompt_to_repeat": "Why is it Blue?"}, "why is it blue? Because.", "Because."),
    "startend:end_checker": ({"end_phrase": "The end."}, 'So. "THE END."', "The end. No."),
    "startend:quotation": ({}, ' "all of it" ', '"'),
    "change_case:capital_word_frequency": (
        {"capital_frequency": 2, "capital_relation": "at least"},
        "The BIG and RED dog",
        "The BIG Dog",
    ),
    "change_case:english_capital": ({}, ENGLISH.upper(), ENGLISH),
    "change_case:english_lowercase": ({}, ENGLISH, GERMAN.lower()),
    "punctuation:no_comma": ({}, "no commas; none", "one, two"),
}


def test_every_type_has_a_case():
    assert len(CHECKS) == 25
    assert CASES.keys() == CHECKS.keys()


@pytest.mark.parametrize("instruction", CASES)
def test_followed_and_not_followed(instruction):
    kwargs, right, wrong = CASES[instruction]
    assert follows(instruction, kwargs, right)
    assert not follows(instruction, kwargs, wrong)
    assert not follows(instruction, kwargs, " ")
    # Datasets give every row all keys, most of them null.
    assert follows(instruction, kwargs | {"unused": None}, right)


def instructions(names, kwargs):
    return json.dumps({"instruction_id_list": names, "kwargs": kwargs})


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "{",
        "[]",
        instructions([], []),
        instructions(["punctuation:no_comma"], []),
        instructions(["punctuation:no_colon"], [{}]),
        instructions(["length_constraints:number_words"], [{"num_words": 3}]),
        instructions(["length_constraints:number_words"], [{"num_words": 3, "relation": "around"}]),
        instructions(["punctuation:no_comma"], [{"other": 1}]),
        instructions(["punctuation:no_comma"], ["none"]),
        instructions("punctuation:no_comma", [{}]),
        instructions([["punctuation:no_comma"]], [{}]),
        instructions(["keywords:existence"], [{"keywords": []}]),
        instructions(["keywords:existence"], [{"keywords": "sea"}]),
        instructions(["keywords:existence"], [{"keywords": ["sea", 3]}]),
        instructions(["keywords:frequency"], [{"keyword": " ", "frequency": 1, "relation": "at least"}]),
        instructions(["keywords:letter_frequency"], [{"letter": "ab", "let_frequency": 1, "let_relation": "at least"}]),
        instructions(["length_constraints:number_paragraphs"], [{"num_paragraphs": -1}]),
        instructions(["length_constraints:number_paragraphs"], [{"num_paragraphs": "2"}]),
        instructions(["length_constraints:number_paragraphs"], [{"num_paragraphs": 2.5}]),
        instructions(["length_constraints:number_paragraphs"], [{"num_paragraphs": True}]),
        instructions(
            ["length_constraints:nth_paragraph_first_word"],
            [{"num_paragraphs": 2, "nth_paragraph": 3, "first_word": "sea"}],
        ),
        instructions(["combination:repeat_prompt"], [{"prompt_to_repeat": ""}]),
        instructions(["language:response_language"], [{"language": "English"}]),
    ],
)
def test_what_cannot_be_checked_is_invalid_and_no_zero(text):
    verdict = grade_instructions(text, "<think></think><answer>fine</answer>")
    assert verdict.status == "invalid"
    assert verdict.reason


def test_figure_3_of_the_paper():
    text = (
        '{"instruction_id_list": ["detectable_format:number_bullet_lists", "length_constraints:number_words"],'
        ' "kwargs": [{"num_bullets": 3, "relation": null}, {"relation": "less than", "num_words": 100}]}'
    )
    answer = "<think></think><answer>Tips:\n* walk\n* talk\n* sleep</answer>"
    assert grade_instructions(text, answer).passed
    assert grade_instructions(text, answer.replace("* talk", "talk")).reason == (
        "not followed: detectable_format:number_bullet_lists"
    )


def test_whole_numbers_may_be_written_as_floats():
    assert follows("length_constraints:number_paragraphs", {"num_paragraphs": 2.0}, "one\n***\ntwo")


@pytest.mark.parametrize(
    ("name", "kwargs", "text", "strictly", "loosely"),
    [
        ("startend:quotation", {}, 'Sure:\n"all of it"', False, True),  # without the first line
        ("startend:end_checker", {"end_phrase": "Bye."}, "Hello. Bye.\nAnything else?", False, True),  # the last
        ("startend:quotation", {}, 'Sure:\n\n"all of it"\n\nDone', False, True),  # both, and the space around
        ("startend:end_checker", {"end_phrase": "Bye."}, "Hello. **Bye.**", False, True),  # without asterisks
        ("startend:quotation", {}, 'Sure:\n**"all of it"**\nDone', False, True),  # neither lines nor asterisks
        ("startend:quotation", {}, 'Sure:\nhere\n"all of it"', False, False),  # two lines are not taken off
        ("detectable_format:number_bullet_lists", {"num_bullets": 2}, "* one\n* two", True, True),
        ("punctuation:no_comma", {}, "one, two", False, False),  # of one line nothing is left, and nothing follows
    ],
)
def test_strict_and_loose(name, kwargs, text, strictly, loosely):
    (instruction,) = read_instructions(instructions([name], [kwargs]))
    assert (strict(instruction, text), loose(instruction, text)) == (strictly, loosely)


SLOW = "(a+)+b"
AS = "a" * 40


@pytest.mark.parametrize(
    ("name", "kwargs"),
    [
        ("keywords:existence", {"keywords": [SLOW]}),
        ("keywords:frequency", {"keyword": SLOW, "frequency": 3, "relation": "less than"}),
        ("keywords:forbidden_words", {"forbidden_words": [SLOW]}),
        ("detectable_content:postscript", {"postscript_marker": SLOW}),
        ("detectable_format:multiple_sections", {"section_spliter": SLOW, "num_sections": 1}),
    ],
)
def test_a_pattern_that_never_ends_is_not_followed(name, kwargs):
    verdict = grade_instructions(instructions([name], [kwargs]), f"<think></think><answer>{AS}</answer>")
    assert (verdict.status, verdict.passed) == ("scored", False)
    assert "s of CPU" in verdict.reason


def test_an_unknown_type_is_named():
    with pytest.raises(UnknownInstructionError, match="no_colon"):
        follows("punctuation:no_colon", {}, "a")


@pytest.mark.parametrize(
    ("response", "passed"),
    [
        ("<think>a, b</think><answer>one two three</answer>", True),  # the thought may have commas
        ("<think></think><answer>one, two three</answer>", False),
        ("<think></think><answer>one</answer>", False),
        ("one two three", False),
    ],
)
def test_all_instructions_must_be_followed(response, passed):
    text = instructions(
        ["punctuation:no_comma", "length_constraints:number_words"], [{}, {"num_words": 3, "relation": "at least"}]
    )
    verdict = grade_instructions(text, response)
    assert (verdict.status, verdict.passed) == ("scored", passed)


def test_the_language_of_a_text_never_changes():
    short = "no la de"
    assert len({follows("language:response_language", {"language": "es"}, short + " " * n) for n in range(5)}) == 1


@pytest.mark.parametrize(
    ("instruction", "text"),
    [
        ("detectable_format:number_bullet_lists", "\n" * 100_000 + "x"),
        ("detectable_content:postscript", "\n" * 100_000 + "x"),
        ("detectable_content:number_placeholders", "[" * 100_000),
        ("detectable_format:title", "<" * 100_000 + "x"),
        ("length_constraints:number_sentences", "\n" * 100_000 + "x"),
        ("change_case:capital_word_frequency", "\n" * 100_000 + "x"),
        ("length_constraints:number_sentences", "." * 100_000),
        ("change_case:capital_word_frequency", ".)" * 50_000 + "x"),
        ("change_case:english_lowercase", "a@" * 50_000),
    ],
)
def test_no_response_costs_more_than_its_length(instruction, text):
    """Nothing limits the time of a check, and in quadratic time each of these takes far longer."""
    kwargs, _, _ = CASES[instruction]
    began = time.process_time()
    follows(instruction, kwargs, text)
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    ("instruction", "kwargs", "text"),
    [
        ("detectable_format:number_bullet_lists", {"num_bullets": 3}, "\n\n  * one\n \n\n- two\n\t- three\n** no"),
        ("detectable_content:postscript", {"postscript_marker": "P.P.S"}, "Bye\n\n  p. p. s more"),
        ("detectable_content:number_placeholders", {"num_placeholders": 2}, "[a [b] ] [c\n] []"),
        ("detectable_format:title", {}, "a\n<<<x>>> b >> c"),
    ],
)
def test_as_ifevals_patterns_have_it(instruction, kwargs, text):
    assert follows(instruction, kwargs, text)
