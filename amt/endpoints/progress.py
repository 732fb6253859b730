"""What a person sees while questions are asked: a bar on a terminal, elsewhere a line on the log every so often."""

import logging
import sys
import time

from tqdm import tqdm

log = logging.getLogger(__name__)

EVERY_S = 10.0


class Progress:
    """
    Args:
        what: who is asked.
        total: questions.
        cached: of these, known already.
    """

    def __init__(self, what: str, total: int, cached: int):
        self._what, self._total, self._cached = what, total, cached
        self._answered = cached
        self._start = self._last = time.monotonic()
        self._bar = tqdm(total=total, initial=cached, desc=what, unit="answer") if sys.stderr.isatty() else None
        if not self._bar:
            log.info("%s: %d questions, %d answered from the cache", what, total, cached)

    def answered(self, retries: int, cost: str) -> None:
        """One more.

        Args:
            retries: so far.
            cost: so far, with its currency.
        """
        self._answered += 1
        if self._bar:
            self._bar.set_postfix_str(f"{self._cached} cached, {retries} retries, {cost}", refresh=False)
            self._bar.update()
            return
        now = time.monotonic()
        if now - self._last < EVERY_S and self._answered < self._total:
            return
        self._last = now
        rate = (self._answered - self._cached) / max(now - self._start, 1e-9)
        left_s = (self._total - self._answered) / rate
        log.info(
            "%s: %d/%d, %d cached, %d retries, %s, %.1f/s, %.0f s left",
            self._what, self._answered, self._total, self._cached, retries, cost, rate, left_s,
        )  # fmt: skip

    def close(self) -> None:
        if self._bar:
            self._bar.close()
