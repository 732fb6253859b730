"""What licences are called, whoever writes them: SPDX identifiers in small letters."""

import re

_SPELLINGS = {
    "apache-2.0": ("apache-v2", "apache-license-2.0"),
    "c-uda-1.0": ("c-uda",),
    "cc": (),  # Creative Commons, without saying which of its licences
    "cc-by-4.0": (),
    "cc-by-nc-4.0": (),
    "cc-by-sa-4.0": (),
    "mit": (),
    "odc-by-1.0": ("odc-by",),
    "not declared": (),
}
"""By name, how else datasets write it, small and with hyphens."""
UNLISTED = "unlisted"
"""Excludes all licences that have no name here: what a row may say is known once it is read."""
LICENCES = (*_SPELLINGS, UNLISTED)


def _folded(licence: str) -> str:
    return re.sub(r"[\s_]+", "-", licence.strip().casefold())


_NAMES = {_folded(spelling): name for name, others in _SPELLINGS.items() for spelling in (name, *others)}


def canonical(licence: str) -> str:
    """The name of a licence: CC BY 4.0 is cc-by-4.0, ODC-BY odc-by-1.0. One that has none is given back as it is."""
    return _NAMES.get(_folded(licence), licence)


def is_known(licence: str) -> bool:
    """Whether a recipe can name it."""
    return canonical(licence) in LICENCES


def is_excluded(licence: str, excluded: set[str]) -> bool:
    """
    Args:
        licence: as `canonical` names it.
        excluded: likewise, or UNLISTED.
    """
    return licence in excluded or (UNLISTED in excluded and licence not in LICENCES)
