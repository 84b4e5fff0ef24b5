# The image holds Python, the exporter and the shared libraries that the two need: no shell, no package manager, no pip.
#
#   docker build --build-arg VERSION=… --build-arg REVISION=… -t flatfile-exporter .

# The tag is for people and for the bots that renew it; the digest, of the index for all platforms, is what counts.
FROM python:3.13.15-slim-trixie@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore \
    PYTHONDONTWRITEBYTECODE=1
WORKDIR /src
RUN python -m venv --without-pip /opt/flatfile-exporter
COPY requirements/run.txt requirements/
RUN pip --python /opt/flatfile-exporter/bin/python install --no-compile --no-deps --require-hashes -r requirements/run.txt
COPY requirements/build.txt requirements/
RUN pip install --no-deps --require-hashes -r requirements/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY exporter/ exporter/
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /wheel . \
 && pip --python /opt/flatfile-exporter/bin/python install --no-compile --no-deps /wheel/*.whl \
 && pip --python /opt/flatfile-exporter/bin/python check
COPY deploy/image/root.py /
RUN python /root.py /opt/flatfile-exporter /root-of-the-image

FROM scratch
ARG VERSION=""
ARG REVISION=""
LABEL org.opencontainers.image.title="flatfile-exporter" \
      org.opencontainers.image.description="Prometheus exporter for Flatfile" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# One arena for all threads: pages are rendered in threads, and each arena keeps what was freed in it.
ENV PATH=/opt/flatfile-exporter/bin:/usr/local/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    MALLOC_ARENA_MAX=1 \
    FLATFILE_EXPORTER_REVISION="${REVISION}"
COPY --from=build /root-of-the-image/ /
COPY --from=build /opt/flatfile-exporter/ /opt/flatfile-exporter/
USER 65532:65532
WORKDIR /
EXPOSE 10056
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["python", "-m", "exporter.cli.healthcheck"]
ENTRYPOINT ["flatfile-exporter"]
