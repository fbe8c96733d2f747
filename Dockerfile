# Backstitch beside a PostgreSQL of its own (docker-compose.yml); without DATABASE_URL it runs the embedded one under /data.
FROM python:3.13-slim AS build
WORKDIR /build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/backstitch
ENV PATH=/opt/backstitch/bin:$PATH
COPY requirements/run.txt requirements/run.txt
RUN pip install --require-hashes -r requirements/run.txt
COPY pyproject.toml README.md LICENSE ./
COPY app app
COPY migrations migrations
RUN pip install --no-deps --no-build-isolation .

FROM python:3.13-slim
RUN useradd --system --uid 10001 --user-group --home-dir /data backstitch \
    && install -d -o backstitch -g backstitch -m 0711 /data
COPY --from=build /opt/backstitch /opt/backstitch
ENV PATH=/opt/backstitch/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOST=0.0.0.0 PORT=8000 DATA_DIR=/data
USER backstitch
WORKDIR /data
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ['PORT'] + '/api/health', timeout=2)"]
ENTRYPOINT ["backstitch"]
CMD ["serve"]
