# What a worker of Dataflow, Flink or Spark runs in, and the command itself: docs/runners.md.
# `make image` builds it, with the Beam of requirements.lock. Nothing comes from apt: OpenCV is the
# headless build, PyAV brings FFmpeg along.
ARG BEAM
FROM apache/beam_python3.11_sdk:${BEAM} AS beam

FROM python:3.11-slim
# requirements-models.lock for models that are loaded in the workers
ARG LOCK=requirements.lock
WORKDIR /opt/storystream
COPY requirements.lock requirements-models.lock ./
RUN pip install --no-cache-dir --no-deps -r ${LOCK}
COPY . .
RUN pip install --no-cache-dir --no-deps --no-build-isolation . \
 && useradd --create-home storystream
COPY --from=beam /opt/apache/beam /opt/apache/beam
# Else each worker begins with a virtual environment, in a folder that is not its own.
ENV RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT=1 HOME=/home/storystream
USER storystream
ENTRYPOINT ["/opt/apache/beam/boot"]
