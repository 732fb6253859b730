"""What IFEval's published validator decides in strict mode, written a second time to check amt.rewards.instructions.

From the behaviour of google-research's instruction_following_eval (Apache-2.0), never from our code: where ours scans,
this has regular expressions, where ours has one, this counts by hand, and sentences are split by another implementation
of Punkt. Arguments must be ones that the validator takes; keywords are what they are for it, regular expressions.
"""

import json
import re

import langdetect
import punkt
from nltk.tokenize import word_tokenize

OPTIONS = ("yes", "no", "maybe")


def strict(instruction_id: str, kwargs: dict, prompt: str, text: str) -> bool:
    """The verdict on one instruction. The prompt decides nothing: no type of the 25 reads it."""
    group, _, name = instruction_id.partition(":")
    kwargs = {key: value for key, value in kwargs.items() if value is not None}
    return text.strip() != "" and globals()[f"{group.replace('-', '_')}_{name}"](text, **kwargs)


def enough(count, least_or_bound, relation):
    return {"at least": count >= least_or_bound, "less than": count < least_or_bound}[relation]


def occurrences(pattern, text, flags=re.IGNORECASE):
    found, place = 0, 0
    compiled = re.compile(pattern, flags)
    while place <= len(text) and (match := compiled.search(text, place)):
        found += 1
        place = match.end() + (match.end() == match.start())
    return found


def keywords_existence(text, keywords):
    missing = [word for word in keywords if re.search(word, text, re.IGNORECASE) is None]
    return not missing


def keywords_frequency(text, keyword, frequency, relation):
    return enough(occurrences(keyword.strip(), text), frequency, relation)


def keywords_forbidden_words(text, forbidden_words):
    return sum(occurrences(r"\b" + word + r"\b", text) for word in forbidden_words) == 0


def keywords_letter_frequency(text, letter, let_frequency, let_relation):
    return enough(sum(character == letter.lower() for character in text.lower()), let_frequency, let_relation)


def detected(text):
    langdetect.DetectorFactory.seed = 20231107
    try:
        return langdetect.detect(text)
    except langdetect.LangDetectException:
        return None


def language_response_language(text, language):
    code = detected(text)
    return code is None or code == language


def change_case_english_capital(text):
    cased = [character for character in text if character.isupper() or character.islower() or character.istitle()]
    return bool(cased) and all(map(str.isupper, cased)) and language_response_language(text, "en")


def change_case_english_lowercase(text):
    cased = [character for character in text if character.isupper() or character.islower() or character.istitle()]
    return bool(cased) and all(map(str.islower, cased)) and language_response_language(text, "en")


def change_case_capital_word_frequency(text, capital_frequency, capital_relation):
    words = [word for part in punkt.sent_tokenize(text) for word in word_tokenize(part, preserve_line=True)]
    return enough(len([word for word in words if word.isupper()]), capital_frequency, capital_relation)


def length_constraints_number_sentences(text, num_sentences, relation):
    return enough(len(punkt.sent_tokenize(text)), num_sentences, relation)


def length_constraints_number_words(text, num_words, relation):
    count, inside = 0, False
    for character in text:
        wordy = character.isalnum() or character == "_"
        count += wordy and not inside
        inside = wordy
    return enough(count, num_words, relation)


def length_constraints_number_paragraphs(text, num_paragraphs):
    # The white space around a divider decides nothing: a piece is empty with it or without.
    parts = text.split("***")
    blank = {place for place, part in enumerate(parts) if not part.strip()}
    return blank <= {0, len(parts) - 1} and len(parts) - len(blank) == num_paragraphs


def length_constraints_nth_paragraph_first_word(text, num_paragraphs, nth_paragraph, first_word):
    parts = text.split("\n\n")
    filled = len([part for part in parts if part.strip()])
    if nth_paragraph > filled or not parts[nth_paragraph - 1].strip():
        return False
    word = re.split(r"\s+", parts[nth_paragraph - 1].strip())[0]
    word = re.sub(r'^"*', "", re.sub(r"^'*", "", word))
    before_punctuation = re.split(r"[.,?!'\"]", word)[0]
    return filled == num_paragraphs and "".join(c.lower() for c in before_punctuation) == first_word.lower()


def detectable_content_number_placeholders(text, num_placeholders):
    return len(re.findall(r"\[[^\]\n]*\]", text)) >= num_placeholders


def detectable_content_postscript(text, postscript_marker):
    lowered, marker = text.lower(), postscript_marker.strip()
    gap = ("", *(chr(code) for code in range(0x3001) if re.match(r"\s", chr(code))))
    if marker == "P.S.":
        return any(f"p.{space}s." in lowered for space in gap)
    if marker == "P.P.S":
        return any(f"p.{one}p.{two}s" in lowered for one in gap for two in gap)
    return any(re.search(r"\s*" + marker.lower() + r".*$", line) for line in lowered.split("\n"))


def detectable_format_number_bullet_lists(text, num_bullets):
    stars = re.findall(r"^\s*\*[^\*].*$", text, re.MULTILINE)
    dashes = [line for line in text.split("\n") if line.strip().startswith("-")]
    return len(stars) + len(dashes) == num_bullets


def detectable_format_constrained_response(text):
    return re.search(rf"My answer is ({'|'.join(OPTIONS)})\.", text) is not None


def detectable_format_number_highlighted_sections(text, num_highlights):
    single = sum(match[1].strip() != "" for match in re.finditer(r"\*([^\n*]*)\*", text))
    double = sum(match[1].strip() != "" for match in re.finditer(r"\*\*([^\n*]*)\*\*", text))
    return single + double >= num_highlights


def detectable_format_multiple_sections(text, section_spliter, num_sections):
    return len(re.split(r"\s?" + section_spliter.strip() + r"\s?\d+\s?", text)) > num_sections


def detectable_format_json_format(text):
    inner = text.strip()
    for fence in ("```json", "```Json", "```JSON", "```"):
        inner = inner[len(fence) :] if inner.startswith(fence) else inner
    inner = inner[:-3] if inner.endswith("```") else inner
    try:
        json.JSONDecoder().decode(inner.strip())
    except ValueError:
        return False
    return True


def detectable_format_title(text):
    return any(match.lstrip("<").rstrip(">").strip() for match in re.findall(r"<<[^\n]+>>", text))


def combination_two_responses(text):
    parts = [part.strip() for part in text.split("*" * 6)]
    for end in (0, -1):
        if len(parts) > 1 and parts[end] == "":
            del parts[end]
    return len(parts) == 2 and "" not in parts and parts[0] != parts[1]


def combination_repeat_prompt(text, prompt_to_repeat):
    wanted = prompt_to_repeat.strip().lower()
    return text.strip().lower()[: len(wanted)] == wanted


def startend_end_checker(text, end_phrase):
    wanted = end_phrase.strip().lower()
    given = re.sub(r'^"+|"+\Z', "", text.strip()).lower()
    return given[len(given) - len(wanted) :] == wanted if len(wanted) <= len(given) else False


def startend_quotation(text):
    return re.fullmatch(r'\s*".*"\s*', text, re.DOTALL) is not None


def punctuation_no_comma(text):
    return text.find(",") == -1
