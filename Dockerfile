# Two images from one file:
#   docker build -t edge .                       all packages: TFLite and SavedModel exports, the cloud client
#   docker build -t edge:lite --target lite .    TFLite alone, for small devices
# docker/build.sh adds the version's tag and labels. The order of the stages matters to the classic builder, which
# builds all that stand above the target: what only the full image needs comes last.

FROM python:3.13-slim AS tools
RUN apt-get update \
 && apt-get install -y --no-install-recommends binutils tini \
 && rm -rf /var/lib/apt/lists/*
# No pip in there: the image's own installs from outside.
RUN python -m venv --without-pip /opt/edge
COPY docker/slim.sh /build/

# The packages, which change seldom, each a layer of its own.
FROM tools AS packages-lite
COPY docker/requirements-lite.txt /build/
RUN pip --python /opt/edge/bin/python install --no-cache-dir --only-binary=:all: --no-deps --require-hashes -r /build/requirements-lite.txt \
 && pip --python /opt/edge/bin/python check \
 && /build/slim.sh /opt/edge/lib/python3.13/site-packages

# The service and its models, which change often: into a root of their own, to be laid over the packages.
FROM tools AS service
COPY pyproject.toml README.md LICENSE /build/
COPY models /build/models
COPY edge /build/edge
RUN pip --python /opt/edge/bin/python install --no-cache-dir --no-deps --root /over /build
COPY docker/sbom.py /over/opt/edge/share/edge/

FROM python:3.13-slim AS runtime
# PID 1: hands signals on and reaps what is left behind, such as a health check that was cut off.
COPY --from=tools /usr/bin/tini-static /usr/bin/tini
# For any user: /data alone is kept; HOME lies on a tmpfs where the root is read-only.
RUN mkdir -m 1777 /data
# - The mount points are looked at in this order; without either, the built-in models serve.
# - Docker kills 10 s after SIGTERM: by then the accepted frames are answered and the process is gone.
# - Nothing here multiplies large matrices; OpenBLAS would keep a thread and its memory for each core.
ENV PATH=/opt/edge/bin:$PATH \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    OPENBLAS_NUM_THREADS=1 \
    EDGE_HOST=0.0.0.0 \
    EDGE_ALLOW_OPEN=true \
    EDGE_DATA=/data \
    EDGE_MODEL_MOUNTS=/models:/tmp/mounted_model \
    EDGE_SHUTDOWN_GRACE_S=8
VOLUME /data
WORKDIR /data
# 8502: the pairing page over plain HTTP, with EDGE_TLS=true.
EXPOSE 8501 8502
# Docker 25 and newer also take --start-interval, with which "healthy" follows sooner; older builders refuse the file.
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s --retries=6 \
  CMD ["python", "-I", "-m", "edge.commands.health"]
# 143: a SIGTERM before the service has taken it over, while nothing was accepted yet, is a clean end as well.
ENTRYPOINT ["tini", "-e", "143", "--", "edge"]
CMD ["serve"]

# Each final stage answers three photos: a first proof that it works, which leaves the bytecode of those modules of the
# standard library that are used (the base image has none, and a read-only root cannot keep any).
FROM runtime AS lite
COPY --from=packages-lite /opt/edge /opt/edge
COPY --from=service /over/opt/edge /opt/edge
RUN PYTHONDONTWRITEBYTECODE= edge predict /opt/edge/lib/python3.13/site-packages/edge/embedded_models/photos \
 && PYTHONDONTWRITEBYTECODE= python -c "import edge.commands.serve, edge.commands.health, edge.commands.inspect" \
 && python /opt/edge/share/edge/sbom.py /opt/edge/lib/python3.13/site-packages > /opt/edge/share/edge/sbom.cdx.json
USER 10001:10001
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG SOURCE=unknown
ARG CREATED=unknown
ARG BASE_DIGEST=unknown
LABEL org.opencontainers.image.title="edge" \
      org.opencontainers.image.description="Offline inference for Google AutoML Vision and Vertex AI edge exports" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.source="$SOURCE" \
      org.opencontainers.image.created="$CREATED" \
      org.opencontainers.image.base.name="docker.io/library/python:3.13-slim" \
      org.opencontainers.image.base.digest="$BASE_DIGEST"

FROM tools AS packages
COPY docker/requirements.txt /build/
RUN pip --python /opt/edge/bin/python install --no-cache-dir --only-binary=:all: --no-deps --require-hashes -r /build/requirements.txt \
 && pip --python /opt/edge/bin/python check \
 && /build/slim.sh /opt/edge/lib/python3.13/site-packages

FROM runtime AS full
COPY --from=packages /opt/edge /opt/edge
COPY --from=service /over/opt/edge /opt/edge
RUN PYTHONDONTWRITEBYTECODE= edge predict /opt/edge/lib/python3.13/site-packages/edge/embedded_models/photos \
 && PYTHONDONTWRITEBYTECODE= python -c "import edge.commands.serve, edge.commands.health, edge.commands.inspect" \
 && python /opt/edge/share/edge/sbom.py /opt/edge/lib/python3.13/site-packages > /opt/edge/share/edge/sbom.cdx.json
USER 10001:10001
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG SOURCE=unknown
ARG CREATED=unknown
ARG BASE_DIGEST=unknown
LABEL org.opencontainers.image.title="edge" \
      org.opencontainers.image.description="Offline inference for Google AutoML Vision and Vertex AI edge exports" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.source="$SOURCE" \
      org.opencontainers.image.created="$CREATED" \
      org.opencontainers.image.base.name="docker.io/library/python:3.13-slim" \
      org.opencontainers.image.base.digest="$BASE_DIGEST"
