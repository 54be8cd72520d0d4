"""Sizes as people write them."""

import re

_SIZE = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[KMGT]?i?)B?", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def parse_bytes(text: str) -> int:
    """`2GiB` (or `2Gi`) is 2 * 1024**3, `2GB` (or `2G`) is 2 * 1000**3; ValueError for what is no positive size."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no size: write it as in 500MB, 2GiB or 1073741824")
    unit = match["unit"].lower()
    size = int(float(match["number"]) * (1024 if unit.endswith("i") else 1000) ** _POWERS[unit.rstrip("i")])
    if size <= 0 or unit == "i":
        raise ValueError(f"{text!r} is no positive size")
    return size
