"""Pushing to a hub on loopback: who may, what is sent, what survives, and that it loads in all three ways."""

import json
import os
import shutil
import sys
import time
from pathlib import Path

import classify_bert
import huggingface_hub.constants
import pytest
import torch
import yaml
from huggingface_hub import HfApi, ModelCard
from loopback_hub import LoopbackHub
from oracles import tensors
from transformers import AutoModelForSequenceClassification, BertTokenizer

import hf_xfmr
from hf_xfmr.errors import UserError
from hf_xfmr.hub import card, client, dual
from hf_xfmr.hub.access import check_access
from hf_xfmr.hub.push import push
from hf_xfmr.hub.upload import prepare, upload
from hf_xfmr.training import XfmrTrainer

# hf_xet, which reads these when it is first used, waits for minutes otherwise.
os.environ |= {"HF_XET_CLIENT_RETRY_MAX_ATTEMPTS": "5", "HF_XET_CLIENT_RETRY_BASE_DELAY": "10ms"}

TOKEN = "hf_aVeryLongTokenOfAlice1234"
USERS = {TOKEN: ("alice", "write"), "hf_read": ("alice", "read"), "hf_bob": ("bob", "write")}
SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}


def point_to(hub: LoopbackHub, monkeypatch, token: str | None = TOKEN) -> None:
    """The hub's address is read when huggingface_hub is imported; processes that a push starts read it anew."""
    monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", hub.endpoint)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    template = hub.endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", "/nonexistent/token")
    monkeypatch.setattr(client, "WAITS", (0.01,) * 5)
    if token is None:
        monkeypatch.delenv("HF_TOKEN", raising=False)
    else:
        monkeypatch.setenv("HF_TOKEN", token)


@pytest.fixture
def hub(monkeypatch):
    with LoopbackHub(USERS, orgs={"acme": ["alice"]}) as hub:
        point_to(hub, monkeypatch)
        yield hub


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoint") / "tiny"
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "film", "the", "a", "看", "电", "影"]
    BertTokenizer(vocab={word: i for i, word in enumerate(words)}, model_max_length=32).save_pretrained(folder)
    torch.manual_seed(0)
    config = hf_xfmr.XfmrBertConfig(vocab_size=len(words), max_position_embeddings=32, num_labels=2, **SIZES)
    hf_xfmr.XfmrBertForSequenceClassification(config).save_pretrained(folder)
    return folder


@pytest.fixture
def staged(checkpoint, tmp_path) -> Path:
    """What a push of the checkpoint uploads."""
    card.write(checkpoint)
    dual.stage(checkpoint, tmp_path / "staged")
    return tmp_path / "staged"


def same_as(staged: Path, there: dict[str, bytes]) -> bool:
    return all(there.get(str(p.relative_to(staged))) == p.read_bytes() for p in staged.rglob("*") if p.is_file())


def reviews(path: Path) -> Path:
    rows = [f"{'the' if i % 3 else 'a'} {'film ' * (i % 7)}{('good', 'bad')[i % 2]}" for i in range(48)]
    path.write_text("text,label\n" + "".join(f"{row} {i},{('pos', 'neg')[i % 2]}\n" for i, row in enumerate(rows)))
    return path


def train(dataset: Path, model: str, folder: Path, *flags: str) -> None:
    classify_bert.main(
        [
            *("--dataset", str(dataset), "--model", model, "--output_dir", str(folder), "--baseline", "false"),
            *("--num_train_epochs", "2", "--per_device_train_batch_size", "8", "--bf16", "false"),
            *("--disable_tqdm", "true", "--report_to", "none", "--logging_steps", "1", *flags),
        ]
    )


# Access


@pytest.mark.parametrize(
    ("repo", "token", "said"),
    [
        ("acme/model", None, "no Hub token"),
        ("acme/model", "hf_wrong", "does not know the token"),
        ("acme/model", "hf_read", "may not write"),
        ("nobody/model", TOKEN, "can't push to 'nobody'"),
        ("a/b/c", TOKEN, "no name for a Hub repository"),
        ("acme/mo del", TOKEN, "no name for a Hub repository"),
    ],
)
def test_access_is_refused_in_one_sentence(hub, monkeypatch, repo, token, said):
    point_to(hub, monkeypatch, token)
    with pytest.raises(UserError, match=said) as error:
        check_access(repo)
    assert "\n" not in str(error.value)
    assert token is None or token not in str(error.value)
    assert not hub.repositories


def test_access_gives_the_full_name_and_makes_nothing(hub):
    assert check_access("model") == "alice/model"
    assert check_access("acme/model", private=True) == "acme/model"
    assert not hub.repositories


def test_a_private_model_does_not_go_to_a_public_repository(hub):
    prepare(HfApi(), "alice/open", private=False, revision=None)
    with pytest.raises(UserError, match="is public, but private is asked for"):
        check_access("alice/open", private=True)


def test_access_survives_a_busy_hub_and_tells_of_one_out_of_reach(hub, monkeypatch):
    hub.faults.append({"match": "whoami", "status": 503, "times": 3})
    assert check_access("model") == "alice/model"
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(UserError, match=r"127\.0\.0\.1:9 can't be reached"):
        check_access("model")


def test_a_recipe_is_refused_before_it_reads_its_data(hub, monkeypatch, tmp_path, checkpoint):
    point_to(hub, monkeypatch, "hf_read")
    with pytest.raises(UserError, match="may not write"):
        train(tmp_path / "none.csv", str(checkpoint), tmp_path / "run", "--push_to_hub", "true")


# What is sent


@pytest.mark.parametrize("xet", [True, False], ids=["xet", "lfs"])
def test_only_what_differs_is_sent_and_bits_are_the_same(hub, monkeypatch, staged, xet):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", not xet)
    api = HfApi()
    prepare(api, "alice/model", private=True, revision="trial")
    prepare(api, "alice/model", private=True, revision="trial")  # what is there already is no error
    commit, sent = upload(api, "alice/model", staged, message="all", revision="trial")
    assert set(sent) == {str(path.relative_to(staged)) for path in staged.rglob("*") if path.is_file()}
    assert same_as(staged, hub.files("alice/model", commit))
    assert set(hub.files("alice/model", "main")) == {".gitattributes"}
    assert bool(hub.sent("POST", "/v1/xorbs")) == xet
    assert bool(hub.sent("PUT", "/lfs/")) != xet
    assert hub.repositories["alice/model"].private
    assert not [one for one in hub.requests if one["host"] == "storage" and TOKEN in one["authorization"]]

    before = len(hub.requests)
    assert upload(api, "alice/model", staged, message="again", revision="trial") == (commit, [])
    (staged / "README.md").unlink()
    (staged / "README.md").write_text("new")
    assert upload(api, "alice/model", staged, message="the card", revision="trial")[1] == ["README.md"]
    later = [one["path"] for one in hub.requests[before:] if one["method"] in ("POST", "PUT")]
    assert not [path for path in later if "xorbs" in path or "/lfs/" in path]


def test_other_files_of_a_repository_stay(hub, staged, tmp_path):
    api, old = HfApi(), tmp_path / "old"
    old.mkdir()
    (old / "notes.txt").write_text("mine")
    (old / "onnx").mkdir()
    (old / "onnx" / "model.bin").write_bytes(b"other weights")
    prepare(api, "alice/model", private=None, revision=None)
    upload(api, "alice/model", old, message="theirs")
    upload(api, "alice/model", staged, message="ours")
    there = hub.files("alice/model")
    assert same_as(staged, there)
    assert same_as(old, there)


@pytest.mark.parametrize("large", [["xet-write-token", "/v1/xorbs/"], ["objects/batch", "/lfs/"]], ids=["xet", "lfs"])
def test_a_storm_of_503_is_waited_out(hub, monkeypatch, staged, large):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", "/lfs/" in large)
    monkeypatch.setattr("time.sleep", lambda _: None)  # huggingface_hub's own waits too
    prepare(HfApi(), "alice/model", private=None, revision=None)
    for match in ("/preupload/", *large, "/commit/", "/tree/"):
        hub.faults.append({"match": match, "status": 503, "times": 3})
    upload(HfApi(), "alice/model", staged, message="all")
    assert same_as(staged, hub.files("alice/model"))
    assert len([one for one in hub.requests if one["status"] == 503]) == 15


@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/xorbs/"), ("PUT", "/lfs/")], ids=["xet", "lfs"])
def test_a_push_cut_off_keeps_everything_and_goes_on(hub, monkeypatch, checkpoint, staged, method, path):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", path == "/lfs/")
    monkeypatch.setattr("time.sleep", lambda _: None)
    before = {path.name: path.read_bytes() for path in checkpoint.glob("*") if path.is_file()}
    hub.faults.append({"match": path, "method": method, "drop": 5000, "times": 1000})
    with pytest.raises(UserError, match=r"broke off: .*nothing is lost.*hf_xfmr push") as error:
        push(checkpoint, "alice/model")
    assert TOKEN not in str(error.value)
    assert set(hub.files("alice/model")) == {".gitattributes"}  # no half of a model
    assert {path.name: path.read_bytes() for path in checkpoint.glob("*") if path.is_file()} == before

    hub.faults[:] = [{"match": "/commit/", "drop": 100, "times": 1000}]  # now the weights arrive, the commit does not
    with pytest.raises(UserError, match="broke off"):
        push(checkpoint, "alice/model")
    assert 200 in {one["status"] for one in hub.sent(method, path)}
    hub.faults.clear()
    arrived = len(hub.sent(method, path))
    upload(HfApi(), "alice/model", staged, message="all")
    assert same_as(staged, hub.files("alice/model"))
    assert len(hub.sent(method, path)) == arrived  # the weights were not sent twice


def test_what_can_not_be_pushed_is_told(hub, tmp_path):
    with pytest.raises(UserError, match=r"holds no config\.json"):
        push(tmp_path, "alice/model")
    (tmp_path / "config.json").write_text('{"model_type": "t5", "architectures": ["T5Model"]}')
    with pytest.raises(UserError, match="'t5' model"):
        push(tmp_path, "alice/model")
    assert not hub.repositories


# A recipe's push: one run for all that is asked of it


@pytest.fixture(scope="module")
def pushed(tmp_path_factory, checkpoint):
    """A run that pushed each checkpoint and its end: (hub, folder, data set, what was printed)."""
    home = tmp_path_factory.mktemp("recipe")
    with pytest.MonkeyPatch.context() as patch, LoopbackHub(USERS, orgs={"acme": ["alice"]}) as hub:
        point_to(hub, patch, None)
        patch.setenv("HF_TOKEN", "")  # that the recipe sets it is undone afterwards
        patch.setattr(sys, "argv", ["classify_bert.py", "--hub_token", TOKEN])
        dataset = reviews(home / "reviews.csv")
        flags = ["--push_to_hub", "true", "--hub_model_id", "acme/reviews", "--hub_private_repo", "true"]
        flags += ["--hub_strategy", "all_checkpoints", "--hub_always_push", "true", "--hub_tag", "v1"]
        flags += ["--hub_license", "apache-2.0", "--hub_language", "en", "--hub_token", TOKEN]
        train(dataset, str(checkpoint), home / "run", *flags)
        yield hub, home / "run", dataset


def test_a_recipe_pushes_checkpoints_and_the_end(pushed):
    hub, folder, _ = pushed
    there = hub.files("acme/reviews")
    assert hub.repositories["acme/reviews"].private
    assert hub.files("acme/reviews", "v1") == there
    assert {path.split("/")[0] for path in there} == {
        *(".gitattributes", "README.md", "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"),
        *("images", "report.html", "report.json"),
        *(path.name for path in dual.model_files(hf_xfmr.XfmrBertConfig)),
        *(path.name for path in folder.glob("checkpoint-*")),
    }
    config = json.loads(there["config.json"])
    assert (config["model_type"], config["architectures"]) == ("bert", ["BertForSequenceClassification"])
    assert config["auto_map"] == hf_xfmr.XfmrBertConfig.auto_classes
    assert there["model.safetensors"] == (folder / "model.safetensors").read_bytes()
    commits = hub.repositories["acme/reviews"].commits.values()
    assert sum("config.json" in files for files in commits) == 3  # two epochs and the end
    assert len(hub.sent("GET", "/resolve/.*/model.safetensors")) + len(hub.sent("HEAD", "/resolve/")) >= 3  # loads


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["end", "every_save", "checkpoint", "all_checkpoints"])
def test_what_each_strategy_leaves_on_a_branch(hub, tmp_path, checkpoint, strategy):
    flags = ["--push_to_hub", "true", "--hub_model_id", "reviews", "--hub_revision", "trial"]
    flags += ["--hub_strategy", strategy, "--hub_always_push", "true", "--load_best_model_at_end", "false"]
    run = tmp_path / "run"
    train(reviews(tmp_path / "reviews.csv"), str(checkpoint), run, *flags)
    saved = sorted(run.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    assert len(saved) == 2
    kept = {
        "end": {},
        "every_save": {},
        "checkpoint": {"last-checkpoint": saved[-1]},
        "all_checkpoints": {path.name: path for path in saved},
    }[strategy]
    there = hub.files("alice/reviews", "trial")
    assert {path.split("/")[0] for path in there if "checkpoint" in path} == set(kept)
    for name, local in kept.items():
        files = {str(path.relative_to(local)): path.read_bytes() for path in local.rglob("*") if path.is_file()}
        assert {path.split("/", 1)[1]: there[path] for path in there if path.startswith(f"{name}/")} == files
    assert there["model.safetensors"] == (run / "model.safetensors").read_bytes()
    assert {"README.md", "report.html", "tokenizer.json", "bert.py"} <= set(there)
    commits = hub.repositories["alice/reviews"].commits.values()
    assert sum("config.json" in files for files in commits) == (1 if strategy == "end" else 3)
    assert set(hub.files("alice/reviews", "main")) == {".gitattributes"}


def test_the_token_is_nowhere(pushed):
    hub, folder, _ = pushed
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {"run.json", "report.html", "README.md", "training_args.bin"} <= {path.name for path in files}
    assert not [path for path in files if TOKEN.encode() in path.read_bytes()]
    assert not [name for name, content in hub.files("acme/reviews").items() if TOKEN.encode() in content]
    assert not [one for one in hub.requests if one["host"] == "storage" and TOKEN in one["authorization"]]
    assert "--hub_token …" in json.loads((folder / "run.json").read_text())["command"].replace("'", "")


def test_training_resumes_from_the_hub_with_the_same_bits(pushed, monkeypatch, tmp_path, checkpoint):
    hub, folder, dataset = pushed
    point_to(hub, monkeypatch)
    first = min(int(path.name.split("-")[1]) for path in folder.glob("checkpoint-*"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    resumed = tmp_path / "resumed"
    train(dataset, str(checkpoint), resumed, "--resume_from_checkpoint", f"acme/reviews/checkpoint-{first}")
    ours, theirs = tensors(resumed), tensors(folder)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)  # on one processor, with as many threads
    with pytest.raises(UserError, match="holds no last-checkpoint"):
        train(dataset, str(checkpoint), tmp_path / "other", "--resume_from_checkpoint", "acme/reviews")


def test_a_recipe_starts_from_a_pushed_model(pushed, monkeypatch, tmp_path):
    hub, folder, _ = pushed
    point_to(hub, monkeypatch)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    model = hf_xfmr.XfmrBertForSequenceClassification.from_pretrained("acme/reviews", cache_dir=tmp_path / "cache")
    local = AutoModelForSequenceClassification.from_pretrained(folder)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), local.parameters(), strict=True))


@pytest.mark.slow
def test_a_run_that_died_goes_on_elsewhere_from_its_last_checkpoint(hub, monkeypatch, tmp_path, checkpoint, capsys):
    """hub_strategy=checkpoint; one of its pushes failed, and the best checkpoint is not the last one."""
    dataset = reviews(tmp_path / "reviews.csv")
    flags = ["--save_strategy", "steps", "--eval_strategy", "steps", "--save_steps", "2", "--eval_steps", "2"]
    flags += ["--metric_for_best_model", "accuracy", "--learning_rate", "1e-3"]
    train(dataset, str(checkpoint), tmp_path / "undisturbed", *flags)

    training_step = XfmrTrainer.training_step

    def dies(self, *args, **kwargs):
        if self.state.global_step == 7:
            raise MemoryError
        return training_step(self, *args, **kwargs)

    hub.faults.append({"match": "/commit/", "status": 422})
    on_hub = ["--push_to_hub", "true", "--hub_model_id", "reviews", "--hub_strategy", "checkpoint"]
    monkeypatch.setattr(XfmrTrainer, "training_step", dies)
    with pytest.raises(MemoryError):
        train(dataset, str(checkpoint), tmp_path / "died", *flags, *on_hub, "--hub_always_push", "true")
    monkeypatch.setattr(XfmrTrainer, "training_step", training_step)
    assert "a push during training failed, which goes on" in capsys.readouterr().out
    step = -1
    for _ in range(200):  # the last push is under way
        state = hub.files("alice/reviews").get("last-checkpoint/trainer_state.json", b'{"global_step": -1}')
        step = json.loads(state)["global_step"]
        if step == 6:
            break
        time.sleep(0.05)
    assert step == 6
    assert json.loads(state)["best_global_step"] == 2  # none was better than the first
    assert json.loads(hub.files("alice/reviews")["best-checkpoint/trainer_state.json"])["global_step"] == 2

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    resumed = tmp_path / "resumed"
    train(dataset, str(checkpoint), resumed, *flags, "--resume_from_checkpoint", "alice/reviews")
    assert "resumed from" in capsys.readouterr().out
    for folder in ("", *(path.name for path in (tmp_path / "undisturbed").glob("checkpoint-*"))):
        ours, theirs = tensors(resumed / folder), tensors(tmp_path / "undisturbed" / folder)
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


# The card


def test_the_card_says_what_the_hub_asks_for(pushed):
    hub, folder, _ = pushed
    text = hub.files("acme/reviews")["README.md"].decode()
    data = ModelCard(text).data
    assert (data.language, data.license, data.pipeline_tag) == ("en", "apache-2.0", "text-classification")
    assert data.library_name == "transformers"
    report = json.loads((folder / "report.json").read_text())
    results = {one.metric_name: one.metric_value for one in data.eval_results}
    assert results["accuracy"] == pytest.approx(report["headline"]["accuracy"]["value"], abs=1e-6)
    assert {(one.dataset_name, one.dataset_split) for one in data.eval_results} == {("reviews", "test")}
    assert "95 % interval" in text
    assert 'from_pretrained("acme/reviews", trust_remote_code=True)' in text
    assert str(folder.parent) not in text
    for picture in ("learning", "confusion"):
        assert f'src="images/{picture}.png"' in text
        assert hub.files("acme/reviews")[f"images/{picture}.png"].startswith(b"\x89PNG")


def test_the_card_of_a_new_push_keeps_the_users_words(checkpoint, tmp_path):
    folder = shutil.copytree(checkpoint, tmp_path / "model")
    path = card.write(folder, license="mit")
    edited = path.read_text().replace("## Notes\n", "## Notes\n\nBeware of <poems>.\n").replace("# model", "# mine")
    header, body = edited.split("---\n", 2)[1:]
    path.write_text(f"---\n{yaml.safe_dump(yaml.safe_load(header) | {'thumbnail': 'x.png'})}---\nHello.\n{body}")
    text = card.write(folder).read_text()
    assert "Hello.\n" in text
    assert "Beware of <poems>.\n" in text
    assert "# model\n" in text  # our part is ours
    assert ModelCard(text).data.to_dict()["thumbnail"] == "x.png"
    assert ModelCard(text).data.license == "mit"
    assert card.write(folder).read_text() == text
    kind = dual.kind(folder)
    theirs = "---\nlicense: gpl-3.0\n---\n\n# By hand\n"
    merged = card.for_hub(card.write(tmp_path / "model").read_text(), theirs, "alice/model", kind)
    assert "# By hand\n" in merged
    assert '"alice/model"' in merged
    with pytest.raises(UserError, match="metadata is not YAML"):
        card.for_hub(text, "---\na: [\n---\n", "alice/model", kind)


def test_the_card_of_a_transformer_warns_of_lost_tables(tmp_path):
    sizes = {"d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "vocab_size": 50}
    hf_xfmr.XfmrForConditionalGeneration(hf_xfmr.XfmrConfig(**sizes)).save_pretrained(tmp_path)
    assert "`MarianMTModel.save_pretrained` leaves those tables out" in card.write(tmp_path).read_text()


@pytest.mark.slow
@pytest.mark.parametrize("xet", [True, False], ids=["xet", "lfs"])
@pytest.mark.parametrize("kind", ["gpt2", "interleaved", "halves", "masked"])
def test_every_kind_of_model_loads_in_three_ways(hub, monkeypatch, tmp_path, capsys, kind, xet):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", not xet)
    monkeypatch.setenv("HF_HUB_DISABLE_XET", "0" if xet else "1")
    torch.manual_seed(0)
    small = {"d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "vocab_size": 50, "max_position_embeddings": 32}
    heads = {"encoder_attention_heads": 2, "decoder_attention_heads": 2}
    gpt2 = {"vocab_size": 50, "n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 32}
    ends = {"bos_token_id": 1, "eos_token_id": 1}
    model = {
        "gpt2": lambda: hf_xfmr.XfmrGPT2ForCausalLM(hf_xfmr.XfmrGPT2Config(**gpt2, **ends)),
        "masked": lambda: hf_xfmr.XfmrBertForMaskedLM(hf_xfmr.XfmrBertConfig(vocab_size=50, **SIZES)),
        **{
            layout: lambda layout=layout: hf_xfmr.XfmrForConditionalGeneration(
                hf_xfmr.XfmrConfig(**small, **heads, position_layout=layout)
            )
            for layout in ("interleaved", "halves")
        },
    }[kind]()
    model.save_pretrained(tmp_path)
    commit = push(tmp_path, "alice/model", private=True)
    assert capsys.readouterr().out.count("loads:") == 3
    assert hub.files("alice/model", commit)["model.safetensors"] == (tmp_path / "model.safetensors").read_bytes()
