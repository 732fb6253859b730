from collections import Counter


def thirds(words):
    counts = Counter(words)
    return sorted((word for word in counts if counts[word] % 3 == 0), reverse=True)


def solve(text):
    text = text.replace("s", "s ").swapcase()
    return "".join(sorted(set("".join(thirds(text.split(" ")))), reverse=True))
