import re


def xyz_there(text):
    return re.search(r"(?<!\.)xyz", text) is not None
