"""In a real notebook, where nbclient and ipykernel are installed."""

import sys

import pytest
from small_calls import BERT, reviews


@pytest.mark.slow
def test_in_a_notebook(tmp_path, monkeypatch):
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
    cells = [
        "import hf_xfmr, pandas as pd\nframe = pd.read_csv('reviews.csv')",
        f"run = hf_xfmr.classify(frame, model_config={BERT}, label_column='stars', num_train_epochs=2, bf16=False)",
        "run.metrics['test']['accuracy']",
        "run.predict(['good'])",
        "run.report",
        "hf_xfmr.classify(frame, label_colum='stars')",
    ]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(one) for one in cells])
    client = nbclient.NotebookClient(book, timeout=200, allow_errors=True)
    client.km = KernelManager(kernel_spec_manager=ThisPython())
    client.execute()
    training, figure, answers, report, wrong = (cell.outputs for cell in book.cells[1:])
    assert not [one for one in training if one.output_type == "error"]
    assert any("<progress" in one.data.get("text/html", "") for one in training if one.output_type == "display_data")
    assert 0 <= float(figure[-1].data["text/plain"]) <= 1
    assert "p_5" in answers[-1].data["text/html"]
    assert report[-1].data["text/html"].startswith("<iframe srcdoc=")
    assert (wrong[-1].ename, wrong[-1].output_type) == ("UserError", "error")
    assert wrong[-1].evalue == "unknown setting 'label_colum'; did you mean 'label_column'?"
