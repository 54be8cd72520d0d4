"""An S3 server of our own, with a bucket in it."""

import contextlib
import json
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.stack.binaries import find_seaweed
from tasks.stack.ports import HOST, claim, free_ports
from tasks.stack.process import LocalProcess

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_INNER_PORTS = (
    "master.port",
    "master.port.grpc",
    "volume.port",
    "volume.port.grpc",
    "filer.port",
    "filer.port.grpc",
    "s3.port.grpc",
)


def _kept_secret(path: Path) -> str:
    """As old as the server's folder: who was told it can go on after a new start."""
    path.touch(mode=0o600)
    secret = path.read_text(encoding="ascii", errors="ignore").strip()
    if not secret:
        secret = secrets.token_urlsafe(24)
        path.write_text(secret, encoding="ascii")
    return secret


class Seaweed(LocalProcess):
    """SeaweedFS: conditional writes, checksums and signatures are checked as in Amazon's S3.

    It opens seven ports besides the one for S3: all on 127.0.0.1. Nothing is reported to anybody.
    """

    def __init__(self, directory: Path, *, port: int | None = None, bucket: str = "leanfleet") -> None:
        """`directory` belongs to this server alone, its secret among it.

        Raises:
            PortInUseError: something listens on `port`.
            MissingServerError: there is no SeaweedFS on this computer.
        """
        self.port = claim(port, option="--store-port")
        self.bucket = bucket
        self.access_key = "leanfleet"
        program = find_seaweed()
        directory.mkdir(parents=True, exist_ok=True)
        self.secret_key = _kept_secret(directory / "secret")
        config = directory / "s3.json"
        identity = {
            "name": "leanfleet",
            "credentials": [{"accessKey": self.access_key, "secretKey": self.secret_key}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        config.touch(mode=0o600)
        config.write_text(json.dumps({"identities": [identity]}), encoding="utf-8")
        data = directory / "data"
        data.mkdir(exist_ok=True)
        ports = {
            **dict(zip(_INNER_PORTS, free_ports(len(_INNER_PORTS)), strict=True)),
            "s3.port": self.port,
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
        }
        self._ports = [port for port in ports.values() if port]
        super().__init__(
            name=f"SeaweedFS on port {self.port}",
            command=[
                str(program),
                "-logtostderr=true",  # into our log; else files gather in the temporary folder
                "server",
                f"-dir={data}",
                f"-ip={HOST}",
                f"-ip.bind={HOST}",
                "-filer",
                "-s3",
                f"-s3.config={config}",
                *(f"-{name}={number}" for name, number in ports.items()),
                "-master.volumeSizeLimitMB=256",
                "-volume.max=20",
                "-volume.preStopSeconds=0",
                "-master.telemetry=false",
            ],
            log_path=directory / "seaweed.log",
            # It takes credentials from there as well: those of an earlier fleet, under the same name, go before ours.
            environ={name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "WEED_"))},
            directory=directory,
        )

    def start(self) -> None:
        self._remove_sockets()
        super().start()

    def kill(self) -> int | None:
        exit_code = super().kill()
        self._remove_sockets()
        return exit_code

    def _remove_sockets(self) -> None:
        """It makes a socket for each port under a fixed name, and stumbles over those that an earlier one left."""
        for number in self._ports:
            for socket in Path("/tmp").glob(f"seaweedfs-*-{number}.sock"):  # noqa: S108 - where it puts them
                with contextlib.suppress(OSError):  # another user's
                    socket.unlink()

    @property
    def endpoint_url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def store_url(self) -> str:
        return f"s3://{self.bucket}/states"

    @property
    def environ(self) -> dict[str, str]:
        """The variables with which any S3 client finds its credentials."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": "us-east-1",
            # So that no client asks a cloud's metadata service for anything.
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self) -> "S3Client":
        """A client for the whole server; close it."""
        import boto3  # noqa: PLC0415 - slow to import, and an extra
        from botocore.config import Config  # noqa: PLC0415 - as above

        config = Config(
            connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}
        )
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint_url,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name="us-east-1",
            config=config,
        )

    def ask_to_end(self) -> None:
        """Nothing: it takes ten seconds to say goodbye, and loses nothing of what it has acknowledged without it."""

    def stop(self, *, grace_seconds: float = 0.0) -> int | None:  # noqa: ARG002 - the grace would be waited for in vain
        return self.kill()

    def wait_ready(self) -> None:
        """Return when an object was stored in the bucket; raise StackError when that does not come about.

        The port answers some time before the volumes do, so nothing less than a write shows that it works.
        """
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - an extra

        client = self.client()

        def is_ready() -> bool:
            try:
                client.create_bucket(Bucket=self.bucket)
            except ClientError as error:
                if error.response["Error"]["Code"] not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                    return False
            except BotoCoreError:
                return False
            try:
                client.put_object(Bucket=self.bucket, Key="ready", Body=b"ready")
                client.delete_object(Bucket=self.bucket, Key="ready")
            except (BotoCoreError, ClientError):
                return False
            return True

        try:
            self.wait_until(is_ready, timeout_seconds=self.ready_seconds)
        finally:
            client.close()
