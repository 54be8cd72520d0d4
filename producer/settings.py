"""Settings: one frozen object, built once at the entry point and handed down. Nothing is read at import.

Sources, later ones win: the defaults here, a TOML file, the environment. The file is the one that `LEANFLEET_CONFIG`
names, else `leanfleet.toml` in the working directory, if it is there. A field `x` is the variable `LEANFLEET_X`; each
part with more to set has a table of its own in the file, and its name in the variable: `[worker] size` is
`LEANFLEET_WORKER_SIZE`.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar, get_args
from urllib.parse import unquote, urlsplit

import msgspec

from producer.errors import SettingsError
from producer.lane import Priority
from producer.operation import DEFAULT_MAX_BYTES, DEFAULT_MEMORY_BYTES, DEFAULT_TIMEOUT_SECONDS

PREFIX = "LEANFLEET_"
DEFAULT_FILE = "leanfleet.toml"
# Of the file. What a table may hold is known where it is read.
TABLES = ("worker", "machine", "redelivery", "autoscale", "policy")
REDIS_SCHEMES = ("redis", "rediss", "sentinel")

# Read by patterns and not parsed: a password that breaks the URL around it must not be shown either.
_NEXT_URL = re.compile(r";(?=\w+://)")
_PASSWORD = re.compile(r"//([^:@/]*):.*@", re.DOTALL)
_PASSWORD_OPTION = re.compile(r"([?&]password=)[^&;]*")


class Secretive(msgspec.Struct, frozen=True, kw_only=True):
    """Settings whose `repr` may be logged: what `secrets` names is not shown, and passwords in addresses are not."""

    secrets: ClassVar[tuple[str, ...]] = ()

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [(field.name, self._shown(field.name)) for field in msgspec.structs.fields(self)]

    def _shown(self, name: str) -> object:
        value = getattr(self, name)
        if name in self.secrets and value:
            return "***"
        return without_password(value) if isinstance(value, str) else value

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.__rich_repr__())
        return f"{type(self).__name__}({shown})"


class Settings(Secretive, frozen=True, kw_only=True):
    """What every part needs to know: where broker and store are, and the limits where nothing else is said."""

    broker_url: str = ""  # redis://, rediss://, sentinel://, amqp://, amqps://
    result_url: str = ""  # a Redis or Valkey for replies; empty: the broker itself
    store_url: str = ""  # s3://bucket/prefix or file:///folder
    store_endpoint_url: str = ""  # for an S3 other than Amazon's
    store_timeout_seconds: float = 20.0  # for one object, its retries included
    queue: str = "leanfleet"
    # interactive or bulk, of all that does not say it; empty: single calls are interactive, streams and batches bulk
    priority: Literal["", Priority] = ""
    # Processes of one name share one producer's share of the fleet; empty: each client and each batch has its own
    producer: str = ""
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    memory_bytes: int = DEFAULT_MEMORY_BYTES
    max_operation_bytes: int = DEFAULT_MAX_BYTES
    connect_attempts: int = 5  # tries at the start, over some four seconds; later the client never gives up
    resend_seconds: float = 60.0  # see `producer.resend`
    log_format: Literal["text", "json"] = "text"  # of what our programs log; see `producer.logs`

    def __post_init__(self) -> None:
        for name in ("broker_url", "result_url", "store_url", "store_endpoint_url"):
            try:
                for each in _NEXT_URL.split(getattr(self, name)):
                    urlsplit(each)
            except ValueError:  # its text may quote a password
                raise SettingsError(
                    f"{name} is no address: write special characters of a user or password as %XX"
                ) from None

    @property
    def user(self) -> str:
        """Who this process is at the server of the replies; "" where that asks for no user."""
        return user_of(self.result_url or self.broker_url)

    @property
    def reply_url(self) -> str:
        """The Redis or Valkey that carries replies.

        Raises:
            SettingsError: the broker is none of these, and no `result_url` is set.
        """
        url = self.result_url or self.broker_url
        if url and urlsplit(url).scheme not in REDIS_SCHEMES:
            raise SettingsError(
                f"replies travel through Redis or Valkey: set LEANFLEET_RESULT_URL beside {without_password(url)}"
            )
        return url


S = TypeVar("S", bound=msgspec.Struct)


def load_settings(*, environ: Mapping[str, str] | None = None, directory: Path | None = None) -> Settings:
    """The settings that every part shares.

    Args:
        environ: instead of the process's environment.
        directory: where `leanfleet.toml` is looked for, instead of the working directory.

    Raises:
        SettingsError: the file cannot be read, or holds an unknown name or a value of the wrong type.
    """
    return load_section("", Settings, environ=environ, directory=directory)


def load_section(
    section: str, kind: type[S], *, environ: Mapping[str, str] | None = None, directory: Path | None = None
) -> S:
    """Read one part's settings: table `section` of the file, and variables `LEANFLEET_<SECTION>_<FIELD>`.

    Args:
        section: the table's name; empty for the top level, whose variables are `LEANFLEET_<FIELD>`.
        kind: the struct to fill.
        environ: instead of the process's environment.
        directory: where `leanfleet.toml` is looked for, instead of the working directory.

    Raises:
        SettingsError: the file cannot be read, or holds an unknown name or a value of the wrong type.
    """
    environ = os.environ if environ is None else environ
    file = _read_file(environ, directory or Path.cwd())
    if strange := [name for name, value in file.items() if isinstance(value, dict) and name not in TABLES]:
        raise SettingsError(f"unknown table {strange[0]!r} in the settings file; known are: {', '.join(TABLES)}")
    table = file.get(section, {}) if section else {n: value for n, value in file.items() if not isinstance(value, dict)}
    if not isinstance(table, dict):
        raise SettingsError(f"{section!r} must be a table in the settings file")
    names = [field.name for field in msgspec.structs.fields(kind)]
    if unknown := sorted(set(table) - set(names)):
        raise SettingsError(f"unknown setting {unknown[0]!r} in the settings file; known are: {', '.join(names)}")
    prefix = f"{PREFIX}{section}_".upper() if section else PREFIX
    from_environment = {name: environ[key] for name in names if (key := prefix + name.upper()) in environ}
    try:
        # Not strict: what comes from the environment is text, and "8" must become 8.
        return msgspec.convert({**table, **from_environment}, kind, strict=False)
    except msgspec.ValidationError as error:
        where = f" in table {section!r}" if section else ""
        raise SettingsError(f"impossible setting{where}: {error}{_choices(kind, str(error))}") from error


def unknown_variables(kinds: Mapping[str, type[msgspec.Struct]], environ: Mapping[str, str]) -> dict[str, str]:
    """Variables that are named as ours are and set nothing, each with the one that is meant, as far as can be guessed.

    Args:
        kinds: the struct that each table fills; "" is the top level. Variables of other tables are left out.
        environ: the process's environment.
    """
    import difflib  # noqa: PLC0415 - for `leanfleet doctor` alone

    known = ["CONFIG"]
    for section, kind in kinds.items():
        prefix = f"{section}_" if section else ""
        known += [f"{prefix}{field.name}".upper() for field in msgspec.structs.fields(kind)]
    elsewhere = tuple(f"{table}_".upper() for table in TABLES if table not in kinds)
    found = {}
    for name in sorted(each.removeprefix(PREFIX) for each in environ if each.startswith(PREFIX)):
        if name not in known and not name.startswith(elsewhere):
            meant = difflib.get_close_matches(name, known, n=1)
            found[PREFIX + name] = PREFIX + meant[0] if meant else ""
    return found


def _choices(kind: type[msgspec.Struct], problem: str) -> str:
    """What a setting can be, to go after msgspec's word that it is none of that; empty after any other."""
    for field in msgspec.structs.fields(kind):
        if problem.startswith("Invalid enum value") and problem.endswith(f"`$.{field.name}`"):
            return f"; it can be {', '.join(map(repr, get_args(field.type)))}"
    return ""


def _read_file(environ: Mapping[str, str], directory: Path) -> dict[str, object]:
    named = environ.get(PREFIX + "CONFIG")
    path = Path(named) if named else directory / DEFAULT_FILE
    try:
        if not named and not path.is_file():
            return {}
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"cannot read the settings file {path}: {error}") from error


def without_password(url: str) -> str:
    """A URL, or several with semicolons, as it may be logged; also one that is broken."""
    shown = [_PASSWORD.sub(r"//\1:***@", each) for each in _NEXT_URL.split(url)]
    return _PASSWORD_OPTION.sub(r"\1***", ";".join(shown))


def user_of(url: str) -> str:
    """The user in a broker's address, or "": what its keys are named by, so that rights can be given by name."""
    return unquote(urlsplit(_NEXT_URL.split(url)[0]).username or "")
