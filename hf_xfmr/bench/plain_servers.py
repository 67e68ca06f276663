"""Programs that serve a classifier without ours, as Python that is run with a folder and a port."""

# What a person writes who has an afternoon: the pipeline of a stock model behind one path.
PLAIN = """
import sys, transformers, uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
classify = transformers.pipeline("text-classification", sys.argv[1], top_k=None, truncation=True, max_length=LENGTH)
app = FastAPI()
class Asked(BaseModel):
    inputs: str
@app.post("/predict")
def predict(asked: Asked):
    return classify(asked.inputs)
@app.get("/ready")
def ready():
    return {}
uvicorn.run(app, port=int(sys.argv[2]), log_level="error")
"""
# The same, as LitServe's own pages show its batching.
LITSERVE = """
import sys, litserve, transformers
class Api(litserve.LitAPI):
    def setup(self, device):
        options = {"top_k": None, "truncation": True, "max_length": LENGTH}
        self.classify = transformers.pipeline("text-classification", sys.argv[1], **options)
    def decode_request(self, request):
        return request["inputs"]
    def predict(self, texts):
        return self.classify(list(texts), batch_size=32)
    def encode_response(self, output):
        return output
if __name__ == "__main__":
    api = Api(max_batch_size=32, batch_timeout=0.002, api_path="/predict")
    litserve.LitServer(api, accelerator="cpu", healthcheck_path="/ready", timeout=120).run(
        port=int(sys.argv[2]), generate_client_file=False, log_level="error"
    )
"""
# The same, as BentoML's own pages show its batching: a request is a list of texts, and batches are made of them.
BENTOML = """
import sys, bentoml, transformers
FOLDER = sys.argv[1] if __name__ == "__main__" else __import__("os").environ["FOLDER"]
@bentoml.service(traffic={"timeout": 120, "concurrency": 256}, workers=1)
class Classify:
    def __init__(self):
        options = {"top_k": None, "truncation": True, "max_length": LENGTH}
        self.classify = transformers.pipeline("text-classification", FOLDER, **options)
    @bentoml.api(batchable=True, max_batch_size=32, max_latency_ms=60000)
    def predict(self, inputs: list[str]) -> list[list[dict]]:
        return self.classify(inputs, batch_size=32)
if __name__ == "__main__":
    import os, pathlib
    own = pathlib.Path(__file__)
    os.environ.update(FOLDER=FOLDER, BENTOML_DO_NOT_TRACK="true", BENTOML_HOME=str(own.parent / "bentoml"))
    command = ["-m", "bentoml", "serve", own.stem + ":Classify", "--working-dir", str(own.parent)]
    os.execv(sys.executable, [sys.executable, *command, "--host", "127.0.0.1", "--port", sys.argv[2]])
"""
