# A server for an exported classifier, tagger or masked model: ONNX Runtime on the processor, without PyTorch.
#
#   hf_xfmr export runs/mine --to onnx
#   docker build -t hf_xfmr-serve .
#   docker run --rm -p 8080:8080 -v "$PWD/runs/mine-onnx:/model:ro" hf_xfmr-serve
#
# What stands behind `hf_xfmr-serve` goes to `hf_xfmr serve`; -e HF_XFMR_API_KEY=… asks for a key.

FROM python:3.11-slim AS build
WORKDIR /source
COPY . .
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.11-slim
COPY constraints.txt /tmp/constraints.txt
COPY --from=build /wheels /tmp/wheels
# hf_xfmr without its dependencies: these are what serving an ONNX folder imports of them, and nothing of it trains.
RUN pip install --no-cache-dir -c /tmp/constraints.txt \
        numpy onnxruntime tokenizers psutil tqdm \
        fastapi starlette pydantic uvicorn prometheus_client \
    && pip install --no-cache-dir --no-deps /tmp/wheels/*.whl \
    && rm -rf /tmp/wheels /tmp/constraints.txt \
    && useradd --system --uid 10001 --no-create-home serve
USER 10001
WORKDIR /
ENV PYTHONUNBUFFERED=1 ORT_DISABLE_TELEMETRY=1
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/health', timeout=2)"]
ENTRYPOINT ["hf_xfmr", "serve", "/model", "--host", "0.0.0.0", "--port", "8080"]
