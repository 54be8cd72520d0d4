"""Environments and proof states as files: `pickleTo`, `unpickleEnvFrom` and `unpickleProofStateFrom`.

Unlike the community REPL's pickles these carry everything a session made (notation, simp sets, instances, scopes), and
take no import to load. They are images of memory: whoever can write one can run code here, so only trusted
files may be loaded. A file that is damaged, truncated or from another build of Lean or the core is refused.
"""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from workers.embedded.abi import Object, fields, tag, text
from workers.embedded.proofstate import ProofState
from workers.embedded.region import Image, Regions, write_file
from workers.embedded.runtime import LeanException
from workers.embedded.seal import SealError, sealed, unsealed

if TYPE_CHECKING:
    from workers.embedded.runtime import Runtime

_ENVIRONMENT, _PROOF_STATE = 0, 1


class PickleError(Exception):
    """A pickle that cannot be written or must not be loaded; the text is for the user."""


class Pickles:
    """Saves and loads what a session holds."""

    def __init__(self, runtime: Runtime, regions: Regions, image: Image) -> None:
        self._runtime = runtime
        self._regions = regions
        self._image = image
        self._needs = [] if image.region is None else [image.region]

    def save_environment(self, state: Object, path: str) -> None:
        """Write a borrowed `Command.State`. Raises PickleError."""
        self._save(self._runtime.lean.ctor(_ENVIRONMENT, self._runtime.lean.keep(state)), path)

    def load_environment(self, path: str) -> Object:
        """The owned `Command.State` of a file. Raises PickleError."""
        return fields(self._load(path, _ENVIRONMENT))[0]

    def save_proof_state(self, state: ProofState, path: str) -> None:
        """Write a proof state. Raises PickleError."""
        lean = self._runtime.lean
        messages = lean.string(json.dumps(state.messages, ensure_ascii=False))
        self._save(lean.ctor(_PROOF_STATE, *map(lean.keep, state.objects()), messages), path)

    def load_proof_state(self, path: str) -> ProofState:
        """The proof state of a file. Raises PickleError."""
        *objects, messages = fields(self._load(path, _PROOF_STATE))
        return ProofState.of_objects(objects, messages=tuple(json.loads(text(messages))))

    def _save(self, root: Object, path: str) -> None:
        try:
            body = self._regions.save(root, f"pickle {secrets.token_hex(8)}", self._needs)
            write_file(Path(path), body + sealed(body, self._image.world))
        except (OSError, ValueError, LeanException) as error:
            raise PickleError(f"cannot pickle to {path}: {error}") from None
        finally:
            self._runtime.lean.drop(root)

    def _load(self, path: str, kind: int) -> Object:
        try:
            body = unsealed(Path(path).read_bytes(), self._image.world)
            root = self._map(body)
        except (OSError, ValueError, SealError, LeanException) as error:
            raise PickleError(f"cannot unpickle {path}: {error}") from None
        if tag(root) != kind:
            kinds = {_ENVIRONMENT: "an environment", _PROOF_STATE: "a proof state"}
            raise PickleError(f"cannot unpickle {path}: it holds {kinds[1 - kind]} and not {kinds[kind]}")
        return root

    def _map(self, body: bytes) -> Object:
        """Map checked bytes from a file that nobody else can change: Lean keeps it mapped for ever."""
        try:
            descriptor = os.memfd_create("lean-pickle")
        except (
            AttributeError,
            OSError,
        ):  # unknown to this system, or withheld since isolated: then the folder is private
            with tempfile.NamedTemporaryFile(prefix="lean-pickle-") as file:
                file.write(body)
                file.flush()
                return self._regions.map(file.name, self._needs)[0]
        try:
            with os.fdopen(os.dup(descriptor), "wb") as file:
                file.write(body)
            return self._regions.map(f"/proc/self/fd/{descriptor}", self._needs)[0]
        finally:
            os.close(descriptor)
