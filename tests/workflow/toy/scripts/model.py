"""A directory that holds the length of all words, and a rate."""

import argparse
import json
from pathlib import Path

from scripts.measure import total_length
from scripts.stage import begin


def train(texts, model, rate):
    model.mkdir(parents=True, exist_ok=True)
    length = total_length(texts)
    (model / "weights.json").write_text(json.dumps({"length": length, "rate": rate}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--text", nargs="+", type=Path)
    parser.add_argument("--model", type=Path)
    args = parser.parse_args()
    train(args.text, args.model, begin("model")["rate"])
