"""The client of endpoints against one that fails on purpose, and keeps its own account.

server      the endpoint: a process of its own
ask         the process that asks, and is killed
trial       both, and what became of every question
"""
