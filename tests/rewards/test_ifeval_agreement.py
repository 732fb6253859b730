"""amt.rewards.instructions against another implementation of IFEval's checks, on made-up and on published texts."""

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amt.rewards.instructions import CHECKS, follows, loose, read_instructions, strict
from tests.rewards import ifeval_oracle

PUBLISHED = Path(__file__).parents[3] / "shared" / "data" / "ifeval"

PIECES = """a B the Sea sea SEA NASA NASA's well-known one two 3 17 _ Section SECTION Day yes no My answer is maybe.
    P.S. P.P.S p. p.s * ** *** ****** *x* **y** - [ ] [name] << >> <<Title>> ``` ```json {"a":1} [1] null " ' . .. ... ,
    ? ! ; : x! ΟΔΟΣ ß é İ ǅ हिन्दी""".split()
PIECES += ["\n", "\n\n", " ", "  ", "\t", "\r\n", "\u00a0", "\u2028", "\x1c", "\x85", "e\u0301", "My answer is no."]
PIECES += ["p. p. s", "\n* ", "\n- "]
GAPS = st.sampled_from(["", " ", "\n"])
TEXTS = st.lists(st.tuples(st.sampled_from(PIECES), GAPS).map("".join), max_size=30).map("".join)
# Two implementations of Punkt part where stops, quotes and control characters pile up; in prose they must not.
PROSE = st.lists(
    st.tuples(
        st.sampled_from(
            "The sea He is and NASA NASA's Mr. Dr. U.S. e.g. i.e. 5 3.14 p.m. No. Inc. Jan. J. A I rose. it. "
            "Really? Go! FINE. VERY GOOD (yes) etc. vs. p. 2. Ph.D. wait... Well, U.N. Co. said:".split()
        ),
        st.sampled_from([" ", " ", "\n", "\n\n"]),
    ).map("".join),
    max_size=30,
).map("".join)
WORDS = st.sampled_from(
    ["sea", "Sea", " NASA ", "a", "3", "well-known", "é", "ß", ".", "x!", "^the", r"\w", "[ab]", "$"]
)
SMALL = st.integers(0, 6)
RELATIONS = st.sampled_from(["less than", "at least"])
NTH = st.integers(1, 4).flatmap(lambda many: st.fixed_dictionaries({
    "num_paragraphs": st.just(many), "nth_paragraph": st.integers(1, many),
    "first_word": st.sampled_from(["sea", "One", "ΟΔΟΣ", "οδοσ", "nasa", "*"]),
}))  # fmt: skip
ENGLISH = "the weather is nice today and we are going to the beach with our friends"
LANGUAGE_TEXTS = st.tuples(
    st.sampled_from([
        ENGLISH, ENGLISH.upper(), ENGLISH.capitalize(), "das wetter ist heute schön und wir gehen an den strand",
        "आज मौसम बहुत अच्छा है और हम समुद्र तट पर जा रहे हैं", "123 ... !!!", "\n",
    ]),
    st.sampled_from(["", ".", " 42!", "\n* ", " ǅ", " ª"]),
).map("".join)  # fmt: skip

ARGUMENTS = {
    "keywords:existence": {"keywords": st.lists(WORDS, min_size=1, max_size=3)},
    "keywords:frequency": {"keyword": WORDS, "frequency": SMALL, "relation": RELATIONS},
    "keywords:forbidden_words": {"forbidden_words": st.lists(WORDS, min_size=1, max_size=3)},
    "keywords:letter_frequency": {
        "letter": st.sampled_from("aEß#!İ3"), "let_frequency": SMALL, "let_relation": RELATIONS,
    },
    "language:response_language": {"language": st.sampled_from(["en", "de", "hi"])},
    "length_constraints:number_sentences": {"num_sentences": SMALL, "relation": RELATIONS},
    "length_constraints:number_paragraphs": {"num_paragraphs": SMALL},
    "length_constraints:number_words": {"num_words": st.integers(0, 30), "relation": RELATIONS},
    "detectable_content:number_placeholders": {"num_placeholders": SMALL},
    "detectable_content:postscript": {"postscript_marker": st.sampled_from(["P.S.", "P.P.S", " P.S. ", "PS", "Note:"])},
    "detectable_format:number_bullet_lists": {"num_bullets": SMALL},
    "detectable_format:number_highlighted_sections": {"num_highlights": SMALL},
    "detectable_format:multiple_sections": {
        "section_spliter": st.sampled_from(["Section", "SECTION", " Day ", "***", "3"]), "num_sections": SMALL,
    },
    "combination:repeat_prompt": {"prompt_to_repeat": st.sampled_from(["The sea", " a ", "ß", "NASA\n"])},
    "startend:end_checker": {"end_phrase": st.sampled_from(["sea", " NASA's ", '"', "two.", "P.S."])},
    "change_case:capital_word_frequency": {"capital_frequency": SMALL, "capital_relation": RELATIONS},
}  # fmt: skip
ARGUMENTS = {name: st.fixed_dictionaries(given) for name, given in ARGUMENTS.items()}
ARGUMENTS["length_constraints:nth_paragraph_first_word"] = NTH
ARGUMENTS["detectable_format:multiple_sections"] = ARGUMENTS["detectable_format:multiple_sections"].filter(
    lambda kwargs: kwargs["section_spliter"] != "***"  # no regular expression: taken literally where IFEval fails
)


BY_LANGUAGE = ("language:response_language", "change_case:english_capital", "change_case:english_lowercase")
BY_SENTENCE = ("length_constraints:number_sentences", "change_case:capital_word_frequency")


@pytest.mark.parametrize("name", CHECKS)
@settings(max_examples=100)
@given(st.data())
def test_both_implementations_decide_alike(name, data):
    kwargs = data.draw(ARGUMENTS.get(name, st.just({})))
    text = data.draw(LANGUAGE_TEXTS if name in BY_LANGUAGE else PROSE if name in BY_SENTENCE else TEXTS)
    assert follows(name, kwargs, text) == ifeval_oracle.strict(name, kwargs, "", text)


@pytest.fixture(scope="module")
def published():
    """[(instructions as JSON, prompt, response of GPT-4)] of IFEval."""
    files = [PUBLISHED / name for name in ("input_data.jsonl", "input_response_data_gpt4_20231107_145030.jsonl")]
    if not all(file.exists() for file in files):
        pytest.skip(f"{PUBLISHED} is not there: IFEval's prompts and responses lie beside the project")
    prompts, answers = ([json.loads(line) for line in file.read_text().splitlines()] for file in files)
    responses = {row["prompt"]: row["response"] for row in answers}
    return [(json.dumps(row), row["prompt"], responses[row["prompt"]]) for row in prompts]


def test_both_implementations_decide_alike_on_the_published_responses(published):
    differ = []
    for instructions, prompt, response in published:
        row = json.loads(instructions)
        for instruction, kwargs in zip(read_instructions(instructions), row["kwargs"], strict=True):
            ours = strict(instruction, response)
            if ours != ifeval_oracle.strict(instruction.name, kwargs, prompt, response):
                differ.append((row["key"], instruction.name, ours))
    assert len(published) > 500
    assert differ == []


def test_loose_is_never_stricter(published):
    verdicts = [
        (strict(instruction, response), loose(instruction, response))
        for instructions, _, response in published
        for instruction in read_instructions(instructions)
    ]
    assert (True, False) not in verdicts
    assert (False, True) in verdicts


def test_the_model_of_english_is_nltks():
    """The digest is that of NLTK's own data package punkt_tab, english, read with NLTK's own reader."""
    from amt.rewards.instructions import _punkt

    model = _punkt()._params
    content = [sorted(model.abbrev_types), sorted(map(list, model.collocations)), sorted(model.sent_starters)]
    content.append(sorted(model.ortho_context.items()))
    digest = hashlib.sha256(json.dumps(content).encode()).hexdigest()
    assert digest == "05d1b12e48957bd1e1d458276076802cde540d5f3c0785efbd5c522ad2703023"
