"""What is stored, reserved and spent, as several processes see it that share a folder."""

import hashlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import namedtuple
from dataclasses import asdict, replace
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from amt.endpoints.answers import DATABASE, Answers, ChatReply, Flight, Taken
from amt.endpoints.database import file_system
from amt.endpoints.segments import mark_kept, write_out
from amt.endpoints.spending import ONE, BudgetError, Charge, Price, Terms, table
from amt.errors import DataError

ROOT = Path(__file__).parents[2]
PRICE = Price(prompt=2, completion=3)
LIMIT = 3
REPLY = ChatReply("yes", "stop", 1, 1)
FREE_TERMS = Terms()


def flight(question: str, worst: int = 0, limit: int = 100) -> Flight:
    return Flight(question, "teacher", "some/model", "http://here/v1", limit, 16, worst)


def charge(prompt_tokens: int = 1, completion_tokens: int = 1, **counted) -> Charge:
    counted = counted or {"answers": 1}
    return Charge("teacher", "some/model", PRICE, prompt_tokens=prompt_tokens,
                  completion_tokens=completion_tokens, **counted)  # fmt: skip


class Spending(RuleBasedStateMachine):
    """Three processes take, settle, fail and give back in any order."""

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.processes = [Answers(self.folder) for _ in range(3)]
        self.ours: dict[str, tuple[int, int]] = {}
        """{question in flight: (process, most tokens of its answer)}"""
        self.answered: set[str] = set()
        self.spent = 0
        self.terms = Terms(PRICE, budget=400)

    @rule(process=st.integers(0, 2), question=st.sampled_from("abcdefgh"), tokens=st.integers(0, 60))
    def take(self, process, question, tokens):
        worst = PRICE.of(tokens, tokens)
        reserved = sum(PRICE.of(most, most) for _, most in self.ours.values())
        fits = self.spent + reserved + worst <= 400
        try:
            taken = self.processes[process].take(flight(question, worst, LIMIT), self.terms)
        except BudgetError:
            assert not fits
            assert reserved == 0
            return
        if question in self.answered:
            assert taken == REPLY
        elif question in self.ours:
            assert taken is Taken.ASKED_ELSEWHERE
        elif len(self.ours) >= LIMIT:
            assert taken is Taken.NO_SLOT
        else:
            assert taken is (Taken.OURS if fits else Taken.NO_MONEY_YET)
            if fits:
                self.ours[question] = process, tokens

    def _drawn(self, data) -> tuple[str, Answers, int, int]:
        question = data.draw(st.sampled_from(sorted(self.ours)))
        process, most = self.ours[question]
        return question, self.processes[process], data.draw(st.integers(0, most)), data.draw(st.integers(0, most))

    @precondition(lambda self: self.ours)
    @rule(data=st.data())
    def settle(self, data):
        question, process, prompt, completion = self._drawn(data)
        assert process.settle(question, REPLY, charge(prompt, completion)) == REPLY
        self.spent += 2 * prompt + 3 * completion
        self.answered.add(question)
        del self.ours[question]

    @precondition(lambda self: self.ours)
    @rule(data=st.data())
    def come_to_nothing_and_be_billed(self, data):
        question, process, prompt, completion = self._drawn(data)
        is_ours = process.failed(question, charge(prompt, completion, unusable=1), 400, is_useless=True)
        self.spent += 2 * prompt + 3 * completion
        if not is_ours:
            del self.ours[question]

    @precondition(lambda self: self.ours)
    @rule(data=st.data())
    def be_cut_and_perhaps_billed(self, data):
        question, process, prompt, completion = self._drawn(data)
        most = PRICE.of(prompt, completion)
        is_ours = process.failed(question, charge(0, 0, cut=1, perhaps=most), 400, is_useless=False)
        self.spent += most
        if not is_ours:
            del self.ours[question]

    @precondition(lambda self: self.ours)
    @rule(data=st.data())
    def give_back(self, data):
        question, process, _, _ = self._drawn(data)
        process.give_back([question])
        del self.ours[question]

    @precondition(lambda self: self.answered)
    @rule(data=st.data())
    def forget(self, data):
        question = data.draw(st.sampled_from(sorted(self.answered)))
        self.processes[0].forget([question])
        self.answered.remove(question)

    @invariant()
    def the_budget_holds(self):
        assert self.spent <= 400
        assert sum(row.cost + row.perhaps for row in self.processes[0].spending()) == self.spent

    def teardown(self):
        for process in self.processes:
            process.close()
        shutil.rmtree(self.folder)


TestSpending = Spending.TestCase
TestSpending.settings = settings(max_examples=40, stateful_step_count=30)


def test_a_question_of_a_killed_process_is_taken_up_and_was_perhaps_billed(tmp_path):
    script = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from amt.endpoints.answers import Answers, Flight, Taken\n"
        "from amt.endpoints.spending import Price, Terms\n"
        f"answers = Answers(Path({str(tmp_path)!r}))\n"
        "asked = Flight('a', 'teacher', 'some/model', 'http://here/v1', 1, 16, 90)\n"
        "taken = answers.take(asked, Terms(Price(1, 1), 100))\n"
        "print(taken is Taken.OURS, flush=True)\n"
        "time.sleep(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)}
    )
    assert process.stdout.readline() == "True\n"
    terms = Terms(Price(1, 1), 100)
    with Answers(tmp_path) as answers:
        assert answers.take(flight("a", 90, 1), terms) is Taken.ASKED_ELSEWHERE
        assert answers.take(flight("b", 90, 1), terms) is Taken.NO_SLOT
        assert answers.take(flight("b", 90, 9), terms) is Taken.NO_MONEY_YET
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        with pytest.raises(BudgetError, match="were perhaps billed"):
            answers.take(flight("b", 11, 1), terms)
        assert [(row.cut, row.cost, row.perhaps) for row in answers.spending()] == [(1, 0, 90)]
        assert answers.take(flight("b", 10, 1), terms) is Taken.OURS
        answers.give_back(["b"])
        assert answers.take(flight("a", 90, 1), Terms(Price(1, 1), 180)) is Taken.OURS
    assert list((tmp_path / "asking").iterdir()) == []


def test_the_first_of_two_answers_to_a_question_counts(tmp_path):
    with Answers(tmp_path) as one:
        assert one.take(flight("a"), FREE_TERMS) is Taken.OURS
        one.settle("a", REPLY, charge())
        assert one.settle("a", ChatReply("no", "stop", 1, 1), charge()) == REPLY
        assert one.find(["a", "b"]) == {"a": REPLY}


# --- segments ---------------------------------------------------------------------------------------------------


def answered(folder: Path, *questions: str) -> None:
    with Answers(folder) as answers:
        for question in questions:
            answers.take(flight(question), FREE_TERMS)
            answers.settle(question, ChatReply(f"to {question}", "stop", 1, 2), charge())


def test_segments_carry_answers_and_equal_answers_are_equal_files(tmp_path):
    answered(tmp_path / "here", "b", "a")
    answered(tmp_path / "there", "a", "b")
    (here,) = write_out(tmp_path / "here" / DATABASE)
    (there,) = write_out(tmp_path / "there" / DATABASE)
    assert here.name == there.name
    assert here.read_bytes() == there.read_bytes()
    (tmp_path / "new" / "answers").mkdir(parents=True)
    shutil.copy(here, tmp_path / "new" / "answers")
    with Answers(tmp_path / "new") as answers:
        assert answers.find("ab") == {name: ChatReply(f"to {name}", "stop", 1, 2) for name in "ab"}
        assert answers.spending() == []  # whoever asked paid
    assert write_out(tmp_path / "new" / DATABASE) == []


def test_segments_are_told_until_they_are_kept_and_a_kill_before_one_is_written_loses_nothing(tmp_path):
    database = tmp_path / DATABASE
    answered(tmp_path, "a")
    (first,) = write_out(database)
    assert write_out(database) == [first]
    mark_kept(database, [first])
    assert write_out(database) == []
    answered(tmp_path, "b")
    (second,) = write_out(database)
    assert second != first
    second.unlink()  # as if killed between the database and the file
    assert write_out(database) == [second]
    assert second.exists()


def test_large_segments_are_cut_and_hold_every_answer_once(tmp_path, monkeypatch):
    monkeypatch.setattr("amt.endpoints.segments.SEGMENT_BYTES", 300)
    monkeypatch.setattr("amt.endpoints.segments.GROUP_BYTES", 100)
    names = [f"{number:02}" for number in range(20)]
    answered(tmp_path / "here", *names)
    segments = write_out(tmp_path / "here" / DATABASE)
    assert len(segments) > 2
    (tmp_path / "new" / "answers").mkdir(parents=True)
    for segment in segments:
        shutil.copy(segment, tmp_path / "new" / "answers")
    with Answers(tmp_path / "new") as answers:
        assert sorted(answers.find(names)) == names


def said(folder: Path, question: str, text: str) -> list[Path]:
    """Store an answer. Returns the segments that are new then."""
    with Answers(folder) as answers:
        answers.take(flight(question), FREE_TERMS)
        answers.settle(question, ChatReply(text, "stop", 1, 2), charge())
    segments = write_out(folder / DATABASE)
    mark_kept(folder / DATABASE, segments)
    return segments


def forget(folder: Path, question: str) -> None:
    with Answers(folder) as answers:
        answers.forget([question])


def pull(folder: Path, segments: list[Path]) -> None:
    (folder / "answers").mkdir(parents=True, exist_ok=True)
    for segment in segments:
        shutil.copy(segment, folder / "answers")


def text_of(folder: Path, question: str) -> str | None:
    with Answers(folder) as answers:
        found = answers.find([question])
    return found[question].text if found else None


@pytest.mark.parametrize("number", range(6))  # names of segments, and so their order, are digests
def test_after_an_answer_was_forgotten_the_next_one_counts_in_every_clone(tmp_path, number):
    here, question = tmp_path / "here", f"question {number}"
    old = said(here, question, "useless")
    forget(here, question)
    middle = said(here, question, "of no use either")
    forget(here, question)
    new = said(here, question, "good")
    pull(tmp_path / "at once", old + middle + new)
    for some in (new, old, middle):
        pull(tmp_path / "one by one", some)
        assert text_of(tmp_path / "one by one", question) == "good"
    for some, text in ((old, "useless"), (middle, "of no use either"), (new, "good")):
        pull(tmp_path / "in turn", some)
        assert text_of(tmp_path / "in turn", question) == text
    assert text_of(here, question) == text_of(tmp_path / "at once", question) == "good"


def test_what_was_forgotten_does_not_come_back_with_a_segment(tmp_path):
    old = said(tmp_path / "there", "a", "useless")
    said(tmp_path / "here", "a", "of no use either")
    forget(tmp_path / "here", "a")
    pull(tmp_path / "here", old)
    assert text_of(tmp_path / "here", "a") is None


def test_of_two_first_answers_each_clone_keeps_its_own(tmp_path):
    there = said(tmp_path / "there", "a", "theirs")
    said(tmp_path / "here", "a", "ours")
    pull(tmp_path / "here", there)
    assert text_of(tmp_path / "here", "a") == "ours"


def test_a_segment_that_another_process_reads_meanwhile_is_read_once(tmp_path):
    """The second waits for the first, and then has nothing to do: it does not even open the file."""
    (segment,) = said(tmp_path / "there", "a", "yes")
    pull(tmp_path / "here", [])
    with Answers(tmp_path / "here"):
        pass
    pull(tmp_path / "here", [segment])
    database = sqlite3.connect(tmp_path / "here" / DATABASE, isolation_level=None)
    database.execute("BEGIN IMMEDIATE")
    script = (
        "import sys; from pathlib import Path; from amt.endpoints.answers import Answers; Answers(Path(sys.argv[1]))"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "here")]
    second = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(ROOT)})
    opened = psutil.Process(second.pid)
    while not any(file.path.endswith(DATABASE) for file in opened.open_files()):
        assert second.poll() is None
        time.sleep(0.05)
    time.sleep(0.5)  # from there to the lock, which it waits for a minute
    # What the first process does; the content is gone, so that reading it again would fail.
    (tmp_path / "here" / "answers" / segment.name).write_bytes(b"")
    database.execute("INSERT INTO segments VALUES (?, 1)", (segment.name,))
    database.execute("COMMIT")
    database.close()
    assert second.wait(60) == 0


def test_a_database_and_a_segment_of_before_answers_could_be_forgotten_everywhere_are_read(tmp_path):
    (tmp_path / "here").mkdir()
    with sqlite3.connect(tmp_path / "here" / DATABASE) as database:
        database.executescript(VERSION_1)
    database.close()
    with Answers(tmp_path / "here") as answers:
        assert answers.find(["a"]) == {"a": REPLY}
        assert [(row.role, row.cost, row.perhaps) for row in answers.spending()] == [("teacher", 5, 0)]
    forget(tmp_path / "here", "a")
    new = said(tmp_path / "here", "a", "good")
    old = tmp_path / "old.parquet"
    pq.write_table(pa.table({"digest": ["a"], "model": ["some/model"], "reply": [json.dumps(asdict(REPLY))]}), old)
    old = old.rename(tmp_path / f"{hashlib.blake2b(old.read_bytes(), digest_size=16).hexdigest()}.parquet")
    pull(tmp_path / "new", [old])
    assert text_of(tmp_path / "new", "a") == "yes"
    pull(tmp_path / "new", new)
    assert text_of(tmp_path / "new", "a") == "good"


VERSION_1 = """
CREATE TABLE replies (digest TEXT PRIMARY KEY, model TEXT NOT NULL, reply TEXT NOT NULL, segment TEXT);
CREATE INDEX not_in_a_segment ON replies (digest) WHERE segment IS NULL;
CREATE INDEX by_segment ON replies (segment);
CREATE TABLE spending (
    role TEXT NOT NULL, model TEXT NOT NULL, answers INTEGER NOT NULL, unusable INTEGER NOT NULL, cut INTEGER NOT NULL,
    estimated INTEGER NOT NULL, unpriced INTEGER NOT NULL, prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL, cost INTEGER NOT NULL, PRIMARY KEY (role, model)
);
CREATE TABLE flights (digest TEXT PRIMARY KEY, owner TEXT NOT NULL, address TEXT NOT NULL, worst INTEGER NOT NULL);
CREATE TABLE useless (digest TEXT PRIMARY KEY, answers INTEGER NOT NULL);
CREATE TABLE segments (name TEXT PRIMARY KEY, is_kept INTEGER NOT NULL);
INSERT INTO replies VALUES ('a', 'some/model',
    '{"text": "yes", "finish_reason": "stop", "prompt_tokens": 1, "completion_tokens": 1}', NULL);
INSERT INTO spending VALUES ('teacher', 'some/model', 1, 0, 0, 0, 0, 1, 1, 5);
PRAGMA user_version=1;
"""


# --- what can be wrong with the file ----------------------------------------------------------------------------


def test_a_newer_version_is_told(tmp_path):
    with sqlite3.connect(tmp_path / DATABASE) as database:
        database.execute("PRAGMA user_version=99")
    database.close()
    with pytest.raises(DataError, match=r"answers\.sqlite.*version 99.*endpoint_cache"):
        Answers(tmp_path)


def test_a_full_disk_is_told_and_what_was_stored_stays(tmp_path):
    answered(tmp_path, "a")
    with Answers(tmp_path) as answers:
        answers.take(flight("b"), FREE_TERMS)
        # SQLite's own limit: it ends as a full disk does.
        pages = answers._database.execute("PRAGMA page_count").fetchone()[0]
        answers._database.execute(f"PRAGMA max_page_count={pages}")
        with pytest.raises(DataError, match=r"answers\.sqlite.*full.*Make room"):
            answers.settle("b", ChatReply("long " * 10_000, "stop", 1, 1), charge())
    with Answers(tmp_path) as answers:
        assert list(answers.find("ab")) == ["a"]


def test_nothing_is_asked_where_the_answers_would_find_no_room(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9 - 5_000_000, 5_000_000))
    with Answers(tmp_path) as answers, pytest.raises(DataError, match=r"5\.0 MB are free.*nothing more is asked"):
        answers.take(flight("a"), FREE_TERMS)


@pytest.mark.parametrize(("limit", "fits"), [(1, True), (100, False)])
def test_room_is_kept_for_all_answers_that_may_be_on_their_way(tmp_path, monkeypatch, limit, fits):
    usage = namedtuple("usage", "total used free")
    free = 70_000_000  # 67,108,864 are kept anyway; 16 tokens of 16 bytes fit, but not a hundred times 32,000
    with Answers(tmp_path) as answers:
        assert answers.take(flight("before"), FREE_TERMS) is Taken.OURS
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9 - free, free))
        asked = replace(flight("a", limit=limit + 1), max_tokens=16 if fits else 32_000)
        if fits:
            assert answers.take(asked, FREE_TERMS) is Taken.OURS
        else:
            with pytest.raises(DataError, match=r"70\.0 MB are free.* 119 MB are kept free"):
                answers.take(asked, FREE_TERMS)


def test_a_database_that_cannot_be_written_is_told():
    """By a user who is not root, whom nothing keeps from writing."""
    folder = Path(tempfile.mkdtemp())
    answered(folder, "a")
    (folder / DATABASE).chmod(0o444)
    folder.chmod(0o555)
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setresgid(65534, 65534, 65534)
                os.setresuid(65534, 65534, 65534)
            Answers(folder)
        except BaseException as error:
            os.write(writer, f"{type(error).__name__}: {error}".encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    folder.chmod(0o755)
    shutil.rmtree(folder)
    assert told.startswith(f"DataError: {folder / DATABASE}")
    assert "Make the file and its folder writable" in told


MOUNTS = """\
/dev/vda / ext4 rw 0 0
server:/home /home nfs4 rw 0 0
/dev/vdb /home/local\\040disk xfs rw 0 0
fs /work lustre rw 0 0
host /shared virtiofs rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/srv/x", "ext4"),
        ("/home/a/b", "nfs4"),
        ("/home/local disk/a", "xfs"),
        ("/work", "lustre"),
        ("/works", "ext4"),
        ("/shared/a", "virtiofs"),
    ],
)
def test_a_file_system_is_that_of_the_longest_mount(path, kind):
    assert file_system(Path(path), MOUNTS) == kind


@pytest.mark.parametrize("kind", ["nfs4", "virtiofs"])
def test_on_a_network_file_system_nothing_is_shared_but_the_file(tmp_path, monkeypatch, kind):
    monkeypatch.setattr("amt.endpoints.database.file_system", lambda _: kind)
    answered(tmp_path, "a")
    with sqlite3.connect(tmp_path / DATABASE) as database:
        assert database.execute("PRAGMA journal_mode").fetchone()[0] != "wal"
    database.close()
    monkeypatch.undo()
    with Answers(tmp_path) as answers:  # and it moves to a local disk and back
        assert list(answers.find("a")) == ["a"]


# --- what it costs ----------------------------------------------------------------------------------------------


def test_prices_and_sums_are_those_of_a_calculator(tmp_path):
    price = Price.per_million(0.55, 2.19)
    assert price.of(1_000_000, 1_000_000) == 2.74 * ONE
    with Answers(tmp_path) as answers:
        for question, tokens in (("a", (1000, 2000)), ("b", (10, 20))):
            answers.take(flight(question), FREE_TERMS)
            answers.settle(question, REPLY, Charge("teacher", "r1", price, answers=1,
                                                   prompt_tokens=tokens[0], completion_tokens=tokens[1]))  # fmt: skip
        answers.take(flight("d"), FREE_TERMS)
        # 10,000 tokens of an answer that was cut.
        answers.failed("d", Charge("teacher", "r1", price, cut=1, perhaps=price.of(0, 10_000)), None, is_useless=False)
        answers.take(flight("c"), FREE_TERMS)
        answers.settle("c", REPLY, Charge("judge", "gpt", None, answers=1, prompt_tokens=7, completion_tokens=8,
                                          is_estimated=True))  # fmt: skip
        lines = table(answers.spending(), "EUR")
    # 1010 × 0.55 and 2020 × 2.19 millionths are 0.0049793.
    assert [line.split() for line in lines[:4]] == [
        ["role", "model", "answers", "unusable", "cut", "off", "tokens", "in", "tokens", "out", "cost", "perhaps"],
        ["judge", "gpt", "1", "0", "0", "7", "8", "not", "known", "-"],
        ["teacher", "r1", "2", "0", "1", "1,010", "2,020", "0.00497930", "EUR", "0.0219", "EUR"],
        ["all", "3", "0", "1", "1,017", "2,028", "0.00497930", "EUR", "0.0219", "EUR"],
    ]
    assert "1 answers came without a token count" in lines[4]
    assert "endpoint_prices" in lines[5]
    assert "1 requests brought no whole answer and were perhaps billed" in lines[6]


def test_many_processes_may_make_the_database_at_once(tmp_path):
    script = (
        f"from pathlib import Path; from amt.endpoints.answers import Answers; Answers(Path({str(tmp_path)!r})).close()"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", script], env=os.environ | {"PYTHONPATH": str(ROOT)}) for _ in range(6)
    ]
    assert [process.wait() for process in started] == [0] * 6
