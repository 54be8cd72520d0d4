"""What decoding JSON from elsewhere may raise: msgspec leaves bad UTF-8 and deep nesting to Python's own errors."""

import msgspec

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
