#!/bin/sh
# SeaweedFS with one identity, whose key and secret come from the environment and are written nowhere but to memory.
set -eu
: "${AWS_ACCESS_KEY_ID:?}" "${AWS_SECRET_ACCESS_KEY:?}"
umask 077
cat >/dev/shm/s3.json <<JSON
{"identities": [{"name": "leanfleet", "credentials": [{"accessKey": "$AWS_ACCESS_KEY_ID", "secretKey": "$AWS_SECRET_ACCESS_KEY"}],
 "actions": ["Admin", "Read", "Write", "List", "Tagging"]}]}
JSON
exec weed server -dir=/data -ip=127.0.0.1 -ip.bind=0.0.0.0 -filer -s3 -s3.config=/dev/shm/s3.json -s3.port=8333 \
    -s3.port.iceberg=0 -s3.port.lance=0 -master.volumeSizeLimitMB=256 -volume.max=20 -volume.preStopSeconds=0 \
    -master.telemetry=false
