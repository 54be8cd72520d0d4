#!/bin/sh
# Valkey with a password from the environment, told by standard input: a command line is every user's to read.
set -eu
: "${BROKER_PASSWORD:?}"
exec valkey-server --dir /data --appendonly yes --save '' --maxmemory-policy noeviction --bind 0.0.0.0 - <<CONF
requirepass "$BROKER_PASSWORD"
CONF
