# A worker that freezes and thaws REPLs with CRIU, built on `worker` or on an image of one's own that is built on that.
# It runs as root, and its REPLs as users of their own. docs/images-criu.md says what it must be allowed, and what for.
#
#   docker build -f docker/Dockerfile --target worker -t leanfleet/worker .
#   docker build -f docker/criu.Dockerfile -t leanfleet/worker-criu .

ARG WORKER=leanfleet/worker
FROM ${WORKER}
# hadolint ignore=DL3002
USER root
RUN apt-get update \
    && apt-get install -y --no-install-recommends criu \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
# Where every user may read the core library: what REPLs of other users cannot read, they cannot run.
ENV XDG_CACHE_HOME=/opt/leanfleet-cache
RUN python -c "from workers.project import embedded_project; embedded_project()" \
    && chmod -R a+rX "$XDG_CACHE_HOME"
