"""The embedded Lean's protocol: the community REPL's, and constants as data."""

from typing import ClassVar

import msgspec

from workers.protocol.community import CommunityAdapter, Decoders, Fields
from workers.protocol.requests import AuditConstants, ExportConstants
from workers.protocol.responses import AuditResponse, ConstantsResponse


def _export(request: ExportConstants) -> dict[str, object]:
    wanted = {
        "names": request.names,
        "header": request.header,
        "asGoals": request.as_goals,
        "allTheorems": request.all_theorems,
    }
    return {"env": request.environment, "exportConstants": wanted}


def _audit(request: AuditConstants) -> dict[str, object]:
    wanted: dict[str, object] = {"theorems": request.theorems, "candidate": _on_one_line(request.candidate)}
    if request.statement is not None:
        wanted["statement"] = _on_one_line(request.statement)
    return {"env": request.environment, "auditConstants": wanted}


def _on_one_line(data: msgspec.Raw) -> msgspec.Raw:
    """JSON that another process wrote, for a place in a frame: a line break in it can only be white space."""
    return msgspec.Raw(bytes(data).replace(b"\n", b" "))


class EmbeddedAdapter(CommunityAdapter):
    name = "embedded"
    fields: ClassVar[Fields] = {**CommunityAdapter.fields, ExportConstants: _export, AuditConstants: _audit}
    decoders: ClassVar[Decoders] = {
        **CommunityAdapter.decoders,
        ExportConstants: msgspec.json.Decoder(ConstantsResponse).decode,
        AuditConstants: msgspec.json.Decoder(AuditResponse).decode,
    }
    loads_onto_commands = True
    audits_constants = True
