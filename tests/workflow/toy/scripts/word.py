"""A word of the recipe, as a file."""

import argparse
from pathlib import Path

from scripts.stage import begin


def write(name, text, words):
    text.parent.mkdir(parents=True, exist_ok=True)
    text.write_text(words[name].strip())


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--name")
    parser.add_argument("--text", type=Path)
    args = parser.parse_args()
    write(args.name, args.text, begin(f"word-{args.name}")["words"])
