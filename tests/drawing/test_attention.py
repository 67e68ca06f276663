"""The pictures of attention, and the weights they are drawn from."""

import re

import numpy as np
import pytest
import torch
from transformers import BertTokenizer

import hf_xfmr
from hf_xfmr.__main__ import run as command
from hf_xfmr.drawing import attention, lettering, maps, shares, style
from hf_xfmr.drawing.words import WORDS
from hf_xfmr.errors import UserError
from hf_xfmr.explain.attention import attention as attention_of
from hf_xfmr.explain.attention import draw
from hf_xfmr.tasks.translation.tokenizer_pair import TokenizerPair, ends_texts
from hf_xfmr.tokenizer import train

SENTENCE = "the cat did not cross the street because it was tired"
TRANSLATION = "猫没有过马路，因为它累了"


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> dict[str, str]:
    """Tiny random models of the three kinds with tokenizers, as folders."""
    torch.manual_seed(0)
    texts, folders = [SENTENCE, TRANSLATION, *SENTENCE.split() * 5, *TRANSLATION * 5], {}
    for name in ("transformer", "gpt2", "bert"):
        folders[name] = str(tmp_path_factory.mktemp(name))
    shared = ends_texts(train(texts, "unigram", vocab_size=400, model_max_length=64))
    TokenizerPair(shared, shared).save_pretrained(folders["transformer"])
    config = hf_xfmr.XfmrConfig(
        vocab_size=len(shared),
        d_model=32,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        max_position_embeddings=64,
        pad_token_id=shared.pad_token_id,
        eos_token_id=shared.eos_token_id,
        decoder_start_token_id=shared.pad_token_id,
        init_std=0.5,
    )
    hf_xfmr.XfmrForConditionalGeneration(config).save_pretrained(folders["transformer"])
    bpe = train(texts, "bpe", vocab_size=400, model_max_length=64)
    bpe.save_pretrained(folders["gpt2"])
    sizes = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64}
    hf_xfmr.XfmrGPT2Model(hf_xfmr.XfmrGPT2Config(vocab_size=len(bpe), **sizes)).save_pretrained(folders["gpt2"])
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *dict.fromkeys(SENTENCE.split())]
    BertTokenizer(vocab={word: place for place, word in enumerate(words)}).save_pretrained(folders["bert"])
    small = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 32}
    bert = hf_xfmr.XfmrBertConfig(vocab_size=len(words), max_position_embeddings=64, **small)
    hf_xfmr.XfmrBertModel(bert).save_pretrained(folders["bert"])
    return folders


def texts_in(figure) -> list[str]:
    """Everything written in a figure."""
    figure.canvas.draw()
    found = []
    for axes in figure.axes:
        labels = [*axes.get_xticklabels(), *axes.get_yticklabels(), *axes.texts, axes.title, axes._left_title]
        found += [label.get_text() for label in labels]
    found += [text.get_text() for text in figure.texts]
    return [text for text in found if text]


def test_the_weights_are_those_of_the_model_and_the_model_stays_as_it_was(models):
    model = hf_xfmr.XfmrForConditionalGeneration.from_pretrained(models["transformer"]).train()
    tokenizers = TokenizerPair.from_pretrained(models["transformer"], config=model.config)
    across, down, weights = attention.pair_weights(model, tokenizers, SENTENCE, TRANSLATION)
    assert "".join(across[:-1]).replace("▁", "") == SENTENCE.replace(" ", "")
    assert len(weights["cross"]) == 2
    assert weights["cross"][1].shape == (4, len(down), len(across))
    for kind in weights:
        assert np.allclose(weights[kind][0].sum(-1), 1, atol=1e-5)
    upper = np.triu(np.ones((len(down), len(down)), dtype=bool), 1)
    assert (weights["decoder"][0][:, upper] == 0).all()  # nothing is seen of what is still to be written
    assert model.training
    assert model.config._attn_implementation == "sdpa"


def test_cross_attention_bears_the_tokens_on_both_axes_and_every_head(models, chinese_font):
    """Text that stays text has every token; in pixels they are numbers where no font has the Chinese ones."""
    drawn = draw(models["transformer"], SENTENCE, TRANSLATION)
    for as_text in (True, False):
        figure = drawn.draw(as_text, "")
        texts = texts_in(figure)
        mean = figure.axes[0]
        across, down = ([tick.get_text() for tick in one] for one in (mean.get_xticklabels(), mean.get_yticklabels()))
        assert "".join(across).replace("▁", "") == SENTENCE.replace(" ", "") + "</s>"
        if chinese_font or as_text:
            assert "".join(down).replace("▁", "") == "猫没有过马路,因为它累了</s>"
        else:
            assert down == [str(place) for place in range(1, len(down) + 1)]
        assert {"who looks (query)", "who is looked at (key)", "times an even share", "1 = even"} <= set(texts)
        assert "cross-attention, layer 2, mean of 4 heads" in texts
        assert len(figure.axes) == 6  # the mean, its scale, the heads


def test_one_head_alone(models):
    figure = draw(models["transformer"], SENTENCE, TRANSLATION, layer=1, head=3).draw(True, "")
    assert len(figure.axes) == 2
    assert "cross-attention, layer 1, head 3" in texts_in(figure)


@pytest.mark.parametrize("name", ["transformer", "gpt2", "bert"])
def test_what_a_word_looks_at_in_each_model(models, tmp_path, monkeypatch, capsys, name):
    out = tmp_path / "it.png"
    texts = (SENTENCE, TRANSLATION) if name == "transformer" else (SENTENCE,)  # one made up may be too long
    monkeypatch.setattr("sys.argv", ["hf_xfmr", "attention", models[name], *texts, "--word", "it", "--out", str(out)])
    command()
    assert out.read_bytes().startswith(b"\x89PNG")
    assert "it” looks" in capsys.readouterr().out.splitlines()[0]
    drawn = draw(models[name], *texts, word="it", layer=1)
    figure = drawn.draw(True, drawn.says)
    assert "it" in "".join(drawn.tokens)
    lines, shares_of_heads, _ = figure.axes
    assert len(lines.lines) == len(drawn.tokens)
    assert shares_of_heads.images[0].get_array().shape == (len(drawn.tokens), 5)
    told = [int(one[:-1]) for one in (text.get_text() for text in lines.texts) if re.fullmatch(r"\d+%", one)]
    assert sum(told) == pytest.approx(100, abs=len(told))
    assert "layer 1" in " ".join(texts_in(figure))


def test_a_word_of_the_target_is_the_decoders(models):
    drawn = draw(models["transformer"], SENTENCE, TRANSLATION, word="猫")
    assert drawn.tokens[0] == "(start)"
    assert "decoder self-attention" in " ".join(texts_in(drawn.draw(True, "")))


def test_an_even_map_is_even_and_the_first_row_of_a_causal_one_is_no_darker():
    tokens = ["a", "b", "c", "d"]
    even = np.full((2, 4, 4), 1 / 4)
    assert np.ptp(maps.shade(even, shares.visible((4, 4), False))) == 0
    assert shares.of_map(even, shares.visible((4, 4), False), tokens, WORDS["en"]).startswith("All is looked at nearly")
    seen = shares.visible((4, 4), True)
    causal = np.tri(4) / np.tri(4).sum(-1, keepdims=True)
    depths = maps.shade(causal, seen)
    assert depths[0, 0] == depths[3, 0] == depths[3, 3] > 0
    assert (depths[~seen] == 0).all()
    pointed = causal.copy()
    pointed[3] = [0, 0, 1, 0]
    assert maps.shade(pointed, seen)[3, 2] > depths[0, 0]


def test_the_sentence_says_where_a_head_looks():
    tokens, seen = ["the", "cat", "sat", "down"], shares.visible((4, 4), False)
    before = np.eye(4, k=-1)
    before[0, 0] = 1
    said = shares.of_map(np.stack([np.full((4, 4), 0.25), before]), seen, tokens, WORDS["en"])
    assert "The most pointed is head 2: 75% to the token before." in said
    row = np.array([[0.1, 0.7, 0.1, 0.1]])
    said = shares.of_word(row, tokens, [2], 4, WORDS["en"])
    assert said == "“sat” looks most at “cat”: 70%, where 25% would be even."
    assert shares.of_word(row, tokens, [2], 4, WORDS["zh"]) == "“sat”看得最多的是“cat”：70%；平均分配则是 25%。"


@pytest.mark.parametrize("kind", ["html", "svg"])
def test_text_stays_text_in_its_readers_fonts(models, tmp_path, kind):
    """Whatever fonts are here, the Chinese tokens and words are in the file, and the page begins with what one sees."""
    out = tmp_path / f"zh.{kind}"
    says, path = attention_of(models["transformer"], SENTENCE, TRANSLATION, language="zh", out=out)
    text = out.read_text(encoding="utf-8")
    assert path == str(out)
    for wanted in (*says.split("“")[:1], "谁在看（query）", "看向谁（key）", "平均份额的倍数", "猫", "交叉注意力"):
        assert wanted in text
    assert "DejaVu" not in text
    assert "://" not in re.sub(r'xmlns(:\w+)?="[^"]*"', "", text)
    if kind == "html":
        assert f"<h1>{says}</h1>" in text
    else:
        assert "var(" not in text  # programs that draw SVG know no variables


def test_a_word_of_several_tokens_is_found():
    assert attention.places_of("tired", ["was", "ti", "##red"]) == [1, 2]
    assert attention.places_of("马路", ["过", "马", "路"]) == [1, 2]
    assert attention.places_of("dog", ["was", "tired"]) == []


def test_the_sinusoid_table_is_drawn_without_a_sentence(models, tmp_path, monkeypatch):
    out = tmp_path / "table.svg"
    monkeypatch.setattr("sys.argv", ["hf_xfmr", "attention", models["transformer"], "--out", str(out)])
    command()
    assert "dimension" in out.read_text(encoding="utf-8")
    figure = draw(models["transformer"], None).draw(True, "")
    table = figure.axes[0].images[0].get_array()
    assert table.shape == (64, 32)
    assert np.allclose(table[0, :4], [0, 1, 0, 1])
    assert table[1, 0] == pytest.approx(np.sin(1))


def test_without_a_font_tokens_are_numbered(monkeypatch):
    installed = style.font_manager.fontManager
    monkeypatch.setattr(installed, "ttflist", [font for font in installed.ttflist if font.name == style.FONT])
    assert lettering.labels_for(["cat", "\U00012000"]) == (["1", "2"], None)  # cuneiform
    assert lettering.labels_for(["cat", "\U00012000"], as_text=True)[0] == ["cat", "\U00012000"]
    assert lettering.labels_for(["cat", "sat"])[0] == ["cat", "sat"]


def test_a_picture_of_pixels_without_the_font_says_what_its_numbers_are(models, tmp_path, monkeypatch):
    installed = style.font_manager.fontManager
    monkeypatch.setattr(installed, "ttflist", [font for font in installed.ttflist if font.name == style.FONT])
    lines = attention_of(models["transformer"], SENTENCE, TRANSLATION, out=tmp_path / "a.png")
    assert "--out a.html has them" in lines[1]
    assert "1 猫" in lines[3] or "1 ▁猫" in lines[3]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("transformer", SENTENCE, TRANSLATION, {"layer": 3}), "the model has the layers 1 to 2"),
        (("bert", SENTENCE, None, {"head": 5}), "a layer of the model has the heads 1 to 4"),
        (("bert", SENTENCE, None, {"word": "dog"}), '--word "dog" is not among the tokens'),
        (("gpt2", None, None, {}), "a sentence is missing"),
        (("bert", SENTENCE, TRANSLATION, {}), "has no target"),
        (("transformer", "cat dog " * 50, TRANSLATION, {}), "more than the model's 64"),
    ],
)
def test_what_cannot_be_drawn_is_one_sentence(models, arguments, message):
    name, sentence, target, options = arguments
    with pytest.raises(UserError, match=re.escape(message)) as caught:
        draw(models[name], sentence, target, **options)
    assert "\n" not in str(caught.value)
