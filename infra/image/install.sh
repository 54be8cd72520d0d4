#!/bin/sh
# Makes a Debian 13 machine one that runs leanfleet: run it as root in a checkout, then make an image of the machine.
# Everything that a start would have to fetch or build is done here.
#
#   sh infra/image/install.sh
#
# A Lean project of your own goes into the image as well, built, with the community REPL of its toolchain; name both by
# worker_environment (LEANFLEET_WORKER_REPL_COMMAND, LEANFLEET_WORKER_PROJECT_DIRECTORY, LEANFLEET_WORKER_HEADER).
set -eu

if [ "$(id -u)" -ne 0 ] || [ ! -f requirements/worker.txt ]; then
    echo "run it as root, in the root of a checkout of leanfleet" >&2
    exit 2
fi

apt-get update
apt-get install -y --no-install-recommends bubblewrap ca-certificates cloud-init logrotate python3 python3-venv
id leanfleet >/dev/null 2>&1 || useradd --system --create-home --home-dir /var/lib/leanfleet leanfleet

python3 -m venv /opt/leanfleet
/opt/leanfleet/bin/pip install --no-cache-dir --require-hashes -r requirements/worker.txt
/opt/leanfleet/bin/pip install --no-cache-dir --no-deps --no-build-isolation .
# Whoever runs Lean code there must not be able to change what root runs from it.
chown -R root:root /opt/leanfleet

# The core library of the embedded Lean is compiled where the worker will look for it.
cd /var/lib/leanfleet
runuser -u leanfleet -- env HOME=/var/lib/leanfleet /opt/leanfleet/bin/python -c \
    "from workers.project import embedded_project; embedded_project()"
runuser -u leanfleet -- env HOME=/var/lib/leanfleet /opt/leanfleet/bin/leanfleet --help >/dev/null
echo "leanfleet is installed: make an image of this machine"
