# The pipeline on Airflow's own image. One container for each component:
#   docker build -t corral .
#   docker run corral scheduler      # or dag-processor, triggerer, api-server
# Pin BASE by digest in a release: --build-arg BASE=apache/airflow@sha256:...
ARG BASE=apache/airflow:3.3.2-python3.11
FROM ${BASE}

# Airflow puts dags/, plugins/ and config/ on the module path, but not the folder that holds
# models/ and include/. The connection type `corral` is looked for before plugins/ is there.
ENV PYTHONPATH=/opt/airflow:/opt/airflow/plugins \
    NUMBA_CACHE_DIR=/opt/airflow/.numba \
    AIRFLOW__CORE__LOAD_EXAMPLES=False

USER airflow
WORKDIR /opt/airflow

# First, and alone: this layer changes only when a requirement does.
COPY --chown=airflow:0 requirements.txt constraints.txt /opt/airflow/
RUN pip install --no-cache-dir --only-binary :all: -r requirements.txt -c constraints.txt

COPY --chown=airflow:0 config /opt/airflow/config
COPY --chown=airflow:0 models /opt/airflow/models
COPY --chown=airflow:0 include /opt/airflow/include
COPY --chown=airflow:0 plugins /opt/airflow/plugins
COPY --chown=airflow:0 dags /opt/airflow/dags

# An image that cannot import itself is not made.
RUN python -c "import models, include.corral.corral, include.toritos, corral_ops"

# No task pays for compiling.
RUN python -m include.ccd.warmup

# Airflow's components end in order on SIGTERM; the init of the image hands it on.
STOPSIGNAL SIGTERM
USER airflow
