FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
RUN python -m venv --without-pip /opt/flatfile-exporter
COPY requirements/run.txt requirements/
RUN pip --python /opt/flatfile-exporter/bin/python install --require-hashes -r requirements/run.txt
COPY pyproject.toml README.md LICENSE ./
COPY exporter/ exporter/
RUN pip --python /opt/flatfile-exporter/bin/python install --no-deps .

FROM python:3.13-slim
ARG VERSION=""
ARG REVISION=""
LABEL org.opencontainers.image.title="flatfile-exporter" \
      org.opencontainers.image.description="Prometheus exporter for Flatfile" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
ENV PATH=/opt/flatfile-exporter/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    FLATFILE_EXPORTER_REVISION="${REVISION}"
COPY --from=build /opt/flatfile-exporter/ /opt/flatfile-exporter/
USER 65532:65532
WORKDIR /
EXPOSE 10056
ENTRYPOINT ["flatfile-exporter"]
