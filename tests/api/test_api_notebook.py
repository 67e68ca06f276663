"""In a real notebook, where nbclient and ipykernel are installed."""

import sys

import pytest
from small_calls import BERT, reviews

pytestmark = pytest.mark.slow
CALL = f"hf_xfmr.classify(frame, model_config={BERT}, label_column='stars', bf16=False"
WAITS = """
import os, pathlib, signal, threading, time

def press():  # what the button does
    while not list(pathlib.Path('out').glob('checkpoint-*')):
        time.sleep(0.02)
    os.kill(os.getpid(), signal.SIGINT)

threading.Thread(target=press, daemon=True).start()
"""


@pytest.fixture
def executed(tmp_path, monkeypatch):
    """Runs cells in a kernel of this interpreter, beside a table of reviews; returns the outputs of each."""
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
    from jupyter_client.manager import KernelManager

    class ThisPython(KernelSpecManager):
        def get_kernel_spec(self, kernel_name):
            words = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
            return KernelSpec(argv=words, language="python", display_name="this")

    monkeypatch.chdir(tmp_path)
    reviews().to_csv("reviews.csv", index=False)

    def run(*cells: str) -> list[list]:
        first = "import hf_xfmr, pandas as pd\nframe = pd.read_csv('reviews.csv')"
        book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(one) for one in (first, *cells)])
        client = nbclient.NotebookClient(book, timeout=500, allow_errors=True)
        client.km = KernelManager(kernel_spec_manager=ThisPython())
        client.execute()
        return [cell.outputs for cell in book.cells[1:]]

    return run


def test_in_a_notebook(executed):
    training, figure, answers, report, wrong = executed(
        f"run = {CALL}, num_train_epochs=2)",
        "run.metrics['test']['accuracy']",
        "run.predict(['good'])",
        "run.report",
        "hf_xfmr.classify(frame, label_colum='stars')",
    )
    assert not [one for one in training if one.output_type == "error"]
    assert any("<progress" in one.data.get("text/html", "") for one in training if one.output_type == "display_data")
    assert 0 <= float(figure[-1].data["text/plain"]) <= 1
    assert "p_5" in answers[-1].data["text/html"]
    assert report[-1].data["text/html"].startswith("<iframe srcdoc=")
    assert (wrong[-1].ename, wrong[-1].output_type) == ("UserError", "error")
    assert wrong[-1].evalue == "unknown setting 'label_colum'; did you mean 'label_column'?"


def test_an_interrupted_cell_is_run_again(executed):
    call = f"{CALL}, max_steps=200, save_strategy='steps', eval_strategy='no', output_dir='out', save_steps="
    stopped, steps, again = executed(
        f"{WAITS}\nhf_xfmr.settings('classify')\nrun = {call}10)",
        "max(int(one.name[11:]) for one in pathlib.Path('out').glob('checkpoint-*'))",
        f"{call}200).record['log_history'][-1]['step']",
    )
    assert (stopped[-1].ename, stopped[-1].evalue) == (
        "KeyboardInterrupt",
        "stopped, and saved: the same call goes on from there",
    )
    assert 10 <= int(steps[-1].data["text/plain"]) < 200
    said = "".join(one.text for one in again if one.output_type == "stream")
    assert f"step {steps[-1].data['text/plain']}" in said
    assert again[-1].data["text/plain"] == "200"
