"""Short chat: questions for the sample rows, and questions of another kind for the Arena-like benchmark."""

import random
from typing import Any

from amt.standins.phrasing import ARENA_TOPICS, Problem, draw_words, read_slots

CHAT = {
    "like": (
        "{N} likes {T}. What can I give {N} on {D}?",
        "You can give {N} a book about {T}. {N} can read it on {D}.",
    ),
    "plan": (
        "Can you plan a {D} with {T} for {N} and me?",
        "On {D} you and {N} can first read about {T}. Then you can go out and look for {T}.",
    ),
    "note": (
        "Please write a short note to {N} that says thank you for the {a} {O}.",
        "Dear {N}. Thank you for the {a} {O}. I like them a lot.",
    ),
    "why": (
        "Why do people like {T} so much? My friend {N} wants to know.",
        "People like {T} because there is always something new to see. Tell {N} to look at {T} with a friend.",
    ),
    "learn": (
        "How can I learn about {T} in {a} days?",
        "Read a short book about {T} first. Then look at {T} every day. After {a} days you know a lot.",
    ),
    "lost": (
        "{N} lost {a} {O} on {D} and is sad. What can I say to {N}?",
        "Tell {N} that you are sorry about the {O}. Then help {N} to look for them.",
    ),
    "talk": (
        "I want to talk to {N} about {T} and {O}. How do I start?",
        "Start with {T}. Ask {N} what is good about {T}. Then show {N} your {O}.",
    ),
    "room": (
        "Where should {N} keep {a} {O} and a box of things about {T}?",
        "{N} can keep the {O} near the door. The box about {T} can go under the bed.",
    ),
}
ARENA = {
    "story": (
        "Please invent a tiny story in which {N} travels far away and discovers {T} at night.",
        "One night {N} travels far away. {N} sees {T} and is happy. Then {N} goes home.",
    ),
    "explain": (
        "Explain to a small child what {T} are and what makes them special.",
        "There are big and small {T}. People like {T} because there is always something new to see.",
    ),
    "compare": (
        "A newspaper asks whether a city needs more {T}. Give one reason for and one against.",
        "For: people like {T}. Against: {T} need a lot of room.",
    ),
    "teach": (
        "I am a teacher with {a} pupils. Suggest a lesson about {T}.",
        "First read a short text about {T}. Then the {a} pupils draw {T}. Then all talk about it.",
    ),
    "poem": (
        "Compose a poem with two lines that praises {T}.",
        "I like {T} in the day. I like {T} in every way.",
    ),
}  # fmt: skip

ARENA_PARAPHRASES = {
    "story": "Please make up a tiny story in which {N} travels far away and finds {T} at night.",
    "explain": "Explain to a little child what {T} are and why they are special.",
    "compare": "A newspaper asks if a city needs more {T}. Name one reason for and one against.",
    "teach": "I am a teacher and have {a} pupils. Please suggest a lesson on {T}.",
    "poem": "Praise {T} in a poem of two lines.",
}
assert set(ARENA_PARAPHRASES) == set(ARENA)


def _chat(kind: str, slots: dict[str, Any], query: str) -> Problem:
    _, answer = (CHAT | ARENA)[kind]
    about = slots.get("T") or slots.get("O")
    return Problem(kind, "general_chat", query, answer.format(**slots), f"The question is about {about}.", slots)


def draw_chat(kind: str, rng: random.Random) -> Problem:
    slots = draw_words(rng) | {"a": rng.randint(2, 60)}
    if kind in ARENA:
        slots |= {"T": rng.choice(ARENA_TOPICS), "a": rng.randint(61, 90)}
    phrasing = (CHAT | ARENA)[kind][0]
    query = phrasing.format(**slots)
    return _chat(kind, read_slots(phrasing, query) or {}, query)


def solve_chat(text: str) -> Problem | None:
    for kind, (phrasing, _) in (CHAT | ARENA).items():
        if slots := read_slots(phrasing, text):
            return _chat(kind, slots, text)
    return None
