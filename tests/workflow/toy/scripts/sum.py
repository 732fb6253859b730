"""The end product: one number, a curve and a page."""

import argparse
import json
from pathlib import Path

from scripts.stage import begin


def evaluate(model, metrics, curve, page, scale):
    weights = json.loads((model / "weights.json").read_text())
    metrics.parent.mkdir(parents=True, exist_ok=True)
    metrics.write_text(json.dumps({"sum": weights["length"] * weights["rate"] * scale}))
    points = [{"step": step, "mean_tokens": step * weights["rate"], "stop_ratio": 1.0} for step in range(3)]
    curve.write_text(json.dumps({"points": points}))
    page.write_text(f"<!doctype html><title>{weights['length']}</title>")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=Path)
    parser.add_argument("--text", type=Path)
    parser.add_argument("--metrics", type=Path)
    parser.add_argument("--curve", type=Path)
    parser.add_argument("--page", type=Path)
    args = parser.parse_args()
    evaluate(args.model, args.metrics, args.curve, args.page, begin("sum")["scale"])
