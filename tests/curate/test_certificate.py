"""What a certificate proves, and what it refuses."""

import contextlib
import json
import math

import pytest

from amt.curate.certificate import Rate, certify, require_certificate
from amt.endpoints.client import ChatClient
from amt.errors import DataError
from amt.params import load
from amt.standins.benchmarks import write_standin_benchmark
from amt.standins.endpoint import scripted_endpoint
from tests.endpoints.server import Server


@pytest.fixture(scope="module")
def laptop():
    return load("params.yaml")


@pytest.fixture
def server():
    server = Server()
    yield server
    server.close()


@pytest.fixture
def run_certify(laptop, tmp_path):
    """certify() against 16 stand-in questions and the scripted paraphraser; returns (content, page)."""

    def run(asked=None, settings=None, address=None, cache="cache"):
        benchmark = tmp_path / "aime_like.parquet"
        write_standin_benchmark(
            "aime_like", laptop.benchmarks["aime_like"].model_copy(update={"questions": 16}), benchmark
        )
        certificate, page = tmp_path / "certificate.json", tmp_path / "certificate.md"
        scripted = scripted_endpoint(1, tmp_path / "endpoint.log")
        with contextlib.nullcontext(address) if address else scripted as address:
            certify(
                benchmarks=[benchmark],
                certificate=certificate,
                page=page,
                settings=laptop.curate.decontaminate.model_copy(update=settings or {}),
                asked=laptop.curate.certificate.model_copy(update={"copies_per_kind": 8} | (asked or {})),
                endpoint=laptop.endpoints.paraphraser,
                client=ChatClient(address, laptop.endpoints.paraphraser.model, None, tmp_path / cache, 4),
                seed=laptop.seed,
            )
        return json.loads(certificate.read_text()), page.read_text()

    return run


def test_the_certificate_says_what_was_found_of_each_kind(run_certify, tmp_path):
    content, page = run_certify()
    assert content["benchmarks"] == ["aime_like"]
    assert content["items"] == 16
    assert {kind: rate["of"] for kind, rate in content["recall"].items()} == dict.fromkeys(
        ("verbatim", "light", "heavy", "embedded", "paraphrased", "translated"), 8
    )
    assert content["recall"]["verbatim"]["found"] == content["recall"]["embedded"]["found"] == 8
    assert content["false_positives"]["of"] == 16
    missed = sum(rate["of"] - rate["found"] for rate in content["recall"].values())
    assert len(content["missed"]) == missed
    assert "standin/paraphraser, a stand-in: they are no real ones" in page
    require_certificate(tmp_path / "certificate.json")


def test_a_copy_that_the_paraphraser_refuses_to_write_is_not_planted(run_certify, server):
    """The server echoes its question, and so the item."""
    run_certify(address=server.address)
    server.always[server.bodies[0]["messages"][0]["content"]] = "400"
    content, _ = run_certify(address=server.address, cache="another")
    assert content["recall"]["paraphrased"] | {"low": 0, "high": 1} == {
        "found": 7, "of": 7, "share": 1.0, "low": 0, "high": 1, "needed": 0.95,
    }  # fmt: skip
    assert content["recall"]["translated"]["of"] == 8


def test_a_recall_below_the_parameter_ends_the_build_with_the_figures(run_certify, tmp_path):
    with pytest.raises(
        DataError, match=r"paraphrased: \d of 8 copies .*min_recall.paraphrased is 0.95, missed for example"
    ):
        run_certify(settings={"cosine": 0.999, "cosine_without_numbers": 0.999})
    assert not (tmp_path / "certificate.json").exists()
    with pytest.raises(DataError, match=r"certificate.json does not exist"):
        require_certificate(tmp_path / "certificate.json")


def test_confusing_items_with_each_other_ends_the_build(run_certify):
    careless = {"cosine": 0.0, "cosine_without_numbers": 0.0, "ngram_coverage": 0.0}
    with pytest.raises(DataError, match=r"\d+ of 16 benchmark items were taken .*max_false_positives is"):
        run_certify(settings=careless)


@pytest.mark.parametrize(("found", "of"), [(0, 10), (10, 10), (7, 10), (59, 60)])
def test_wilson_interval_holds_the_shares_that_are_1_96_deviations_away(found, of):
    """Its ends solve |p - share| = z * sqrt(p (1 - p) / n)."""
    for end in Rate(found, of).wilson():
        if 1e-9 < end < 1 - 1e-9:
            assert abs(end - found / of) == pytest.approx(1.959964 * math.sqrt(end * (1 - end) / of), rel=1e-6)
    low, high = Rate(found, of).wilson()
    assert 0 <= low <= found / of <= high <= 1
