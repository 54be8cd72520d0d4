"""A Compute Engine for tests: the few calls on regional managed instance groups that are made, over real HTTP.

Written from the reference of the REST API, v1 (`regionInstanceGroupManagers`). It answers what a wrong call would be
answered, so that a provider that misspells one fails here too.
"""

import itertools
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

MOST_DELETED = 1000
PROJECT, REGION = "proofs", "europe-west4"
_PATH = re.compile(
    r"/compute/v1/projects/(?P<project>[^/]+)/regions/(?P<region>[^/]+)/instanceGroupManagers/(?P<group>[^/]+)"
    r"/(?P<verb>listManagedInstances|resize|deleteInstances)"
)


@dataclass
class Group:
    """`dry`: what is created from now on fails, and is tried again for ever."""

    name: str
    dry: bool = False
    size: int = 0
    page_size: int = 500
    instances: list[dict[str, Any]] = field(default_factory=list)


class Google:
    """`refuse` holds (status, body) for the next calls; `calls` what was called."""

    def __init__(self) -> None:
        self.url = ""
        self.groups: dict[str, Group] = {}
        self.refuse: list[tuple[int, dict[str, Any]]] = []
        self.calls: list[str] = []
        self._numbers = itertools.count(1)

    def make_group(self, name: str) -> Group:
        return self.groups.setdefault(name, Group(name))

    def answer(self, path: str, query: dict[str, str], body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        found = _PATH.fullmatch(path)
        if found is None or (found["project"], found["region"]) != (PROJECT, REGION):
            return 404, _error(404, f"The resource {path} was not found")
        self.calls.append(found["verb"])
        if self.refuse:
            return self.refuse.pop(0)
        group = self.groups.get(found["group"])
        if group is None:
            return 404, _error(404, f"The resource 'instanceGroupManagers/{found['group']}' was not found")
        verbs: dict[str, Callable[[], tuple[int, dict[str, Any]]]] = {
            "listManagedInstances": lambda: (200, self._list(group, query)),
            "resize": lambda: self._resize(group, int(query["size"])),
            "deleteInstances": lambda: self._delete(group, body),
        }
        return verbs[found["verb"]]()

    def _list(self, group: Group, query: dict[str, str]) -> dict[str, Any]:
        first = int(query.get("pageToken", "0"))
        page = group.instances[first : first + group.page_size]
        answer: dict[str, Any] = {"managedInstances": page} if page else {}
        if first + group.page_size < len(group.instances):
            answer["nextPageToken"] = str(first + group.page_size)
        return answer

    def _resize(self, group: Group, size: int) -> tuple[int, dict[str, Any]]:
        if size < group.size:
            # The real one would choose whom to delete; nobody here may leave that to it.
            return 400, _error(400, "a resize that would delete instances")
        for _ in range(size - group.size):
            name = f"{group.name}-{next(self._numbers):04x}"
            instance: dict[str, Any] = {
                "instance": f"https://www.googleapis.com/compute/v1/projects/{PROJECT}/zones/{REGION}-a/instances/{name}",
                "name": name,
                "currentAction": "CREATING" if group.dry else "NONE",
                "instanceStatus": "" if group.dry else "RUNNING",
            }
            if group.dry:
                errors = [{"code": "ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS", "message": "not enough resources"}]
                instance["lastAttempt"] = {"errors": {"errors": errors}}
            group.instances.append(instance)
        group.size = size
        return 200, {"kind": "compute#operation", "status": "DONE"}

    def _delete(self, group: Group, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        urls = {each["instance"]: each for each in group.instances}
        if unknown := sorted(set(body["instances"]) - set(urls)):
            return 400, _error(400, f"{unknown[0]} is not a member of {group.name}")
        for url in body["instances"]:
            urls[url]["currentAction"] = "DELETING"
        if len(body["instances"]) > MOST_DELETED:
            return 400, _error(400, "too many instances at once")
        group.size -= len(body["instances"])
        return 200, {"kind": "compute#operation", "status": "DONE"}

    def finish(self) -> None:
        """Let what is being deleted be gone."""
        for group in self.groups.values():
            group.instances = [each for each in group.instances if each["currentAction"] != "DELETING"]


@contextmanager
def running_google() -> Iterator[Google]:
    """The service on a free port of this computer."""
    google = Google()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            parts = urlsplit(self.path)
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            status, answer = google.answer(parts.path, query, json.loads(content or b"{}"))
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Nothing: tests look at `calls`."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, name="google")
    thread.start()
    google.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield google
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _error(code: int, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}
