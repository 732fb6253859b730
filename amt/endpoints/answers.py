"""Answers of model endpoints, each paid for once.

Invariants:
- An answer that was received is found again after a kill at any later moment: storing it, entering what it cost and
  giving its reservation back is one transaction.
- A question is asked by one process at a time, and only where the most that it can cost still fits the budget, beside
  what is spent, what was perhaps billed (for an answer that did not come, or a process that was killed) and what the
  questions in flight may cost. So no order of events spends more than the budget, as long as no endpoint counts more
  tokens than a question can have.
- At most as many questions are in flight to an address as its limit says, over all processes.

The flights of a process that ended without giving them back are given back by the next one that meets them.
"""

import json
import shutil
from collections.abc import Iterable
from dataclasses import asdict, astuple, dataclass
from enum import Enum, auto
from pathlib import Path

from amt.endpoints.database import connect, told, transaction
from amt.endpoints.owners import Owner, is_gone
from amt.endpoints.segments import read_in
from amt.endpoints.spending import BudgetError, Charge, Spent, Terms, exhausted
from amt.errors import DataError

DATABASE = "answers.sqlite"
OWNERS = "asking"
ROOM_BYTES = 64 * 2**20
"""Free space below which nothing more is asked, beside the room for the answers on their way."""
BYTES_OF_A_TOKEN = 16
"""Of room for an answer: rarely more than five of text, which JSON may escape, and both the journal and the database
hold."""
ANSWERS_UNDER_A_KEY = 4
"""After as many that were no completion an endpoint that honours keys is taken to repeat what it stored."""


@dataclass(frozen=True)
class ChatReply:
    text: str
    finish_reason: str
    """As the endpoint says. Only stop is a whole answer; length, content_filter and others cut it short. Ours are
    refused and unanswered (amt.endpoints.asking): there is none."""
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True)
class Flight:
    """A question that is to be asked."""

    digest: str
    role: str
    model: str
    address: str
    limit: int
    """Questions that may be in flight to the address."""
    max_tokens: int
    worst: int
    """Most that its answer can cost (amt.endpoints.spending)."""


class Taken(Enum):
    OURS = auto()
    """Nobody else asks it until we settle it or give it back."""
    ASKED_ELSEWHERE = auto()
    """Its answer is on the way to another process."""
    NO_SLOT = auto()
    """As many as may be are in flight to the address."""
    NO_MONEY_YET = auto()
    """What the questions in flight may cost leaves too little; most will cost less."""


class Answers:
    """The answers in a folder. Close it: others wait for what it took."""

    def __init__(self, folder: Path):
        self._folder = folder
        self.path = folder / DATABASE
        self._database = connect(self.path)
        self._owner: Owner | None = None
        try:
            with told(self.path):
                read_in(self._database, folder)
        except BaseException:
            self._database.close()
            raise

    def find(self, digests: Iterable[str]) -> dict[str, ChatReply]:
        """Those that are known."""
        with told(self.path):
            found = {digest: self._reply(digest) for digest in digests}
        return {digest: reply for digest, reply in found.items() if reply is not None}

    def take(self, flight: Flight, terms: Terms) -> ChatReply | Taken:
        """Take a question upon us, or learn its answer, or why it must wait.

        Raises:
            BudgetError: it may cost more than is left, and nothing is in flight.
            DataError: the disk has too little room for the answers on the way.
        """
        self._look_for_room(flight.limit * flight.max_tokens * BYTES_OF_A_TOKEN)
        with told(self.path):
            self._owner = self._owner or Owner(self._folder / OWNERS)
            with transaction(self._database):
                taken = self._take(flight, terms)
                if isinstance(taken, Taken) and taken is not Taken.OURS and self._give_back_of_the_dead():
                    taken = self._take(flight, terms)
        if isinstance(taken, BudgetError):  # outside: what the dead left behind is entered
            raise taken
        return taken

    def _take(self, flight: Flight, terms: Terms) -> ChatReply | Taken | BudgetError:
        one = self._one
        if reply := self._reply(flight.digest):
            return reply
        if one("SELECT count(*) FROM flights WHERE digest = ?", flight.digest):
            return Taken.ASKED_ELSEWHERE
        if one("SELECT count(*) FROM flights WHERE address = ?", flight.address) >= flight.limit:
            return Taken.NO_SLOT
        if terms.budget is not None:
            spent, perhaps, reserved = self._committed()
            if spent + perhaps + reserved + flight.worst > terms.budget:
                if reserved:
                    return Taken.NO_MONEY_YET
                return exhausted(terms, spent, perhaps, flight.worst)
        self._database.execute(
            "INSERT INTO flights VALUES (?, ?, ?, ?, ?, ?)",
            (flight.digest, self._owner.name, flight.role, flight.model, flight.address, flight.worst),
        )
        return Taken.OURS

    def settle(self, digest: str, reply: ChatReply, charge: Charge) -> ChatReply:
        """Store the answer to a question that is ours, and what it cost. Returns the answer that counts."""
        with told(self.path), transaction(self._database):
            self._database.execute(
                "INSERT INTO replies VALUES (?, ?, ?, NULL, (SELECT coalesce(sum(forgotten), 0) FROM useless "
                "WHERE digest = ?)) ON CONFLICT DO NOTHING",
                (digest, charge.model, json.dumps(asdict(reply), ensure_ascii=False), digest),
            )
            self._enter(charge)
            self._give_back(digest)
            return self._reply(digest)

    def failed(self, digest: str, charge: Charge, budget: int | None, *, is_useless: bool) -> bool:
        """Enter a request that brought no answer.

        Args:
            is_useless: something came whole, and was of no use.

        Returns:
            Whether its question is still ours. It is not where this request was billed, or perhaps was, and another may
            cost more than is left.
        """
        with told(self.path), transaction(self._database):
            self._enter(charge)
            if is_useless:
                self._count_useless(digest, answers=1)
            if budget is not None and (charge.cost or charge.perhaps) and sum(self._committed()) > budget:
                self._give_back(digest)
                return False
        return True

    def keys_used_up(self, digest: str) -> int:
        """Names under which an endpoint that repeats what it said would say nothing of use to a question: a new one
        after an answer that was forgotten, and after several that were no completion. Not after the first of those:
        most were garbled on their way, and come again whole and unbilled under the same name."""
        query = f"SELECT coalesce(sum(forgotten + answers / {ANSWERS_UNDER_A_KEY}), 0) FROM useless WHERE digest = ?"
        with told(self.path):
            return self._one(query, digest)

    def give_back(self, digests: Iterable[str]) -> None:
        """Questions that were ours, and have no answer."""
        with told(self.path), transaction(self._database):
            for digest in digests:
                self._give_back(digest)

    def forget(self, digests: Iterable[str]) -> None:
        """Have answers asked again: they were of no use. What they cost stays spent. The next answer to the question
        takes their place wherever they went (amt.endpoints.segments)."""
        with told(self.path), transaction(self._database):
            for digest in digests:
                found = self._database.execute(
                    "DELETE FROM replies WHERE digest = ? RETURNING forgotten", (digest,)
                ).fetchall()
                for (before,) in found:
                    self._count_useless(digest, forgotten=before + 1)

    def spending(self) -> list[Spent]:
        with told(self.path):
            rows = self._database.execute("SELECT * FROM spending ORDER BY role, model").fetchall()
        return [Spent(*row) for row in rows]

    def close(self) -> None:
        """Give back whatever is still ours."""
        try:
            if self._owner:
                with told(self.path):
                    self._database.execute("DELETE FROM flights WHERE owner = ?", (self._owner.name,))
        finally:
            if self._owner:
                self._owner.close()
            self._database.close()

    def __enter__(self) -> "Answers":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    # --- inside a transaction ---------------------------------------------------------------------------------

    def _one(self, query: str, *values):
        return self._database.execute(query, values).fetchone()[0]

    def _committed(self) -> tuple[int, int, int]:
        """What is spent, what was perhaps billed beyond it, and what the questions in flight may cost."""
        spent = self._one("SELECT coalesce(sum(cost), 0) FROM spending")
        perhaps = self._one("SELECT coalesce(sum(perhaps), 0) FROM spending")
        return spent, perhaps, self._one("SELECT coalesce(sum(worst), 0) FROM flights")

    def _reply(self, digest: str) -> ChatReply | None:
        found = self._database.execute("SELECT reply FROM replies WHERE digest = ?", (digest,)).fetchone()
        return ChatReply(**json.loads(found[0])) if found else None

    def _enter(self, charge: Charge) -> None:
        is_whole = charge.answers or charge.unusable
        spent = Spent(
            role=charge.role,
            model=charge.model,
            answers=charge.answers,
            unusable=charge.unusable,
            cut=charge.cut,
            estimated=int(charge.is_estimated),
            unpriced=int(bool(is_whole) and charge.price is None),
            prompt_tokens=charge.prompt_tokens,
            completion_tokens=charge.completion_tokens,
            cost=charge.cost,
            perhaps=charge.perhaps,
        )
        sums = [name for name in Spent.__dataclass_fields__ if name not in ("role", "model")]
        self._database.execute(
            f"INSERT INTO spending VALUES ({', '.join('?' * (2 + len(sums)))}) ON CONFLICT (role, model) DO UPDATE SET "
            + ", ".join(f"{name} = {name} + excluded.{name}" for name in sums),
            astuple(spent),
        )

    def _count_useless(self, digest: str, answers: int = 0, forgotten: int = 0) -> None:
        """
        Args:
            answers: more of them.
            forgotten: in all.
        """
        self._database.execute(
            "INSERT INTO useless VALUES (?, ?, ?) ON CONFLICT (digest) DO UPDATE SET "
            "answers = answers + excluded.answers, forgotten = max(forgotten, excluded.forgotten)",
            (digest, answers, forgotten),
        )

    def _give_back(self, digest: str) -> None:
        self._database.execute(
            "DELETE FROM flights WHERE digest = ? AND owner = ?", (digest, self._owner and self._owner.name)
        )

    def _give_back_of_the_dead(self) -> bool:
        """What they asked was perhaps billed. Returns whether there were any."""
        owners = self._database.execute(
            "SELECT DISTINCT owner FROM flights WHERE owner != ?", (self._owner.name,)
        ).fetchall()
        gone = [owner for owner in owners if is_gone(self._folder / OWNERS, owner[0])]
        for owner in gone:
            lost = self._database.execute(
                "DELETE FROM flights WHERE owner = ? RETURNING role, model, worst", owner
            ).fetchall()
            for role, model, worst in lost:
                self._enter(Charge(role, model, None, cut=1, perhaps=worst))
        return bool(gone)

    def _look_for_room(self, on_their_way: int) -> None:
        """
        Args:
            on_their_way: bytes of answers, at most.
        """
        free, needed = shutil.disk_usage(self._folder).free, ROOM_BYTES + on_their_way
        if free < needed:
            raise DataError(
                f"{self.path}: {free / 1e6:.1f} MB are free on its disk, and {needed / 1e6:.0f} MB are kept free for "
                "answers that are on their way (endpoint_concurrency times max_tokens), so nothing more is asked. Make "
                "room, or name another folder: endpoint_cache in the file that AMT_PLACEMENT names. All answers so far "
                "are kept."
            )
