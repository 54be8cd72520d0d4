"""The public API: what `leanfleet` re-exports.

Apart from the package itself, so that a part of it can be had without the client: every REPL process loads the errors.
"""

import logging

from producer.call import Call
from producer.client import Client, Finished
from producer.entry import connect, connect_sync
from producer.errors import (
    BatchError,
    BrokerRefusedError,
    BrokerUnavailableError,
    ClientClosedError,
    InvalidInputError,
    InvalidTextError,
    LeanFleetError,
    SettingsError,
    StoreError,
    WireError,
)
from producer.judgement import Judgement, Strength, Verdict
from producer.logs import JsonLogFormatter
from producer.operation import AnyOperation, ExportState, ImportState, RunCode, RunTactics, VerifyProof
from producer.outcome import Outcome
from producer.result import (
    AnyResult,
    AuditedTheorem,
    ExportStateResult,
    ImportStateResult,
    Message,
    Position,
    Restored,
    RunCodeResult,
    RunTacticsResult,
    Sorry,
    TacticResult,
    Timing,
    VerifyProofResult,
)
from producer.settings import Settings, load_settings
from producer.state import StateRef
from producer.stats import ClientStats
from producer.sync import SyncClient
from producer.testing import ScriptedClient
from producer.version import __version__

# A library is silent unless its user configures logging.
logging.getLogger("leanfleet").addHandler(logging.NullHandler())

__all__ = [
    "AnyOperation",
    "AnyResult",
    "AuditedTheorem",
    "BatchError",
    "BrokerRefusedError",
    "BrokerUnavailableError",
    "Call",
    "Client",
    "ClientClosedError",
    "ClientStats",
    "ExportState",
    "ExportStateResult",
    "Finished",
    "ImportState",
    "ImportStateResult",
    "InvalidInputError",
    "InvalidTextError",
    "JsonLogFormatter",
    "Judgement",
    "LeanFleetError",
    "Message",
    "Outcome",
    "Position",
    "Restored",
    "RunCode",
    "RunCodeResult",
    "RunTactics",
    "RunTacticsResult",
    "ScriptedClient",
    "Settings",
    "SettingsError",
    "Sorry",
    "StateRef",
    "StoreError",
    "Strength",
    "SyncClient",
    "TacticResult",
    "Timing",
    "Verdict",
    "VerifyProof",
    "VerifyProofResult",
    "WireError",
    "__version__",
    "connect",
    "connect_sync",
    "load_settings",
]
