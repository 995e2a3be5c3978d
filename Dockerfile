# Two images from one file, `train` and `serve`. They share nothing but the model file.

FROM debian:bookworm-slim AS data
RUN apt-get update \
 && apt-get install --yes --no-install-recommends dataset-fashion-mnist \
 && rm -rf /var/lib/apt/lists/*

FROM python:3.11-slim-bookworm AS base
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    ORT_DISABLE_TELEMETRY=1
WORKDIR /app
# A number, so that Kubernetes can see that it is not root. The model's folder is this user's: a new volume
# that is mounted there takes over its owner.
RUN useradd --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin demur \
 && install --directory --owner=10001 --group=10001 /models

# The dependencies in layers of their own, before the source: a change of code does not install them again.
FROM base AS serve-dependencies
# `traces.txt` is the same with OpenTelemetry.
ARG SERVE_REQUIREMENTS=serve.txt
COPY requirements/${SERVE_REQUIREMENTS} requirements.txt
RUN python -m venv --without-pip /venv \
 && pip --python /venv/bin/python install --no-cache-dir --require-hashes --requirement requirements.txt

FROM base AS train-dependencies
COPY requirements/train.txt .
RUN python -m venv --without-pip /venv \
 && pip --python /venv/bin/python install --no-cache-dir --requirement train.txt

FROM base AS train
COPY --from=train-dependencies /venv /venv
COPY --from=data /usr/share/datasets/fashion-mnist /usr/share/datasets/fashion-mnist
COPY --from=data /usr/share/doc/dataset-fashion-mnist/copyright /usr/share/doc/dataset-fashion-mnist/copyright
COPY demur.py .
COPY service service
COPY training training
RUN ln -s /app/demur.py /venv/bin/demur
ENV MPLCONFIGDIR=/tmp
USER 10001
ENTRYPOINT ["demur"]
CMD ["fit", "--out", "/models/model.onnx"]

# Last, so that a plain `docker build .` makes the service.
FROM base AS serve
COPY --from=serve-dependencies /venv /venv
COPY demur.py .
COPY service service
RUN ln -s /app/demur.py /venv/bin/demur
ENV DEMUR_HOST=0.0.0.0 \
    DEMUR_MODEL_PATH=/models/model.onnx \
    DEMUR_DRAIN_SECONDS=5 \
    DEMUR_KEEP_ALIVE_SECONDS=75
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/readyz', timeout=2)"]
CMD ["demur", "serve"]
