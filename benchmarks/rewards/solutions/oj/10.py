import hashlib


def solve(text):
    text = hashlib.sha1(text.encode()).hexdigest()
    return text[-1] + text[1:-1] + text[0]
