"""What the way to a server asks of whoever goes it: pauses, and a proxy."""

import time
import urllib.parse
import urllib.request
from email.utils import parsedate_to_datetime


def retry_after_s(header: str | None) -> float:
    """Seconds from a Retry-After header, which holds seconds or a date; 0 where it says nothing."""
    if header is None:
        return 0.0
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    except ValueError:
        return 0.0


def proxy_of(url: str) -> str | None:
    """The proxy that the environment names for an address. A stand-in of this machine is behind none."""
    parts = urllib.parse.urlsplit(url)
    if parts.hostname in (None, "localhost", "127.0.0.1", "::1") or urllib.request.proxy_bypass(parts.hostname):
        return None
    return urllib.request.getproxies().get(parts.scheme)
