from collections import Counter


def spaced(text):
    return "".join(c + " " if c.isupper() else c for c in text)


def turned(text):
    return "".join(text[i : i + 3][::-1] for i in range(0, len(text), 3))


def thirds(words):
    counts = Counter(words)
    return sorted((word for word in counts if counts[word] % 3 == 0), reverse=True)


def solve(text):
    text = spaced(text) * 2
    return thirds((text[1::2] + text[::2]).split(" "))
