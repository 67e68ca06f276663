"""The papers' formulas in MathML, which browsers draw without scripts. Nothing here is computed."""

from markupsafe import Markup


def _i(name: str) -> str:
    return f"<mi>{name}</mi>"


def _t(name: str) -> str:
    """A name of several letters, upright."""
    return f"<mi mathvariant='normal'>{name}</mi>"


def _n(number: object) -> str:
    return f"<mn>{number}</mn>"


def _o(sign: str) -> str:
    return f"<mo>{sign}</mo>"


def _row(*parts: str) -> str:
    return f"<mrow>{''.join(parts)}</mrow>"


def _sub(base: str, below: str) -> str:
    return f"<msub>{base}{below}</msub>"


def _sup(base: str, above: str) -> str:
    return f"<msup>{base}{above}</msup>"


def _over(above: str, below: str) -> str:
    return f"<mfrac>{above}{below}</mfrac>"


def _root(of: str) -> str:
    return f"<msqrt>{of}</msqrt>"


def _of(function: str, *arguments: str) -> str:
    between = _o(",")
    return _row(function, _o("("), between.join(arguments), _o(")"))


def _many(sign: str, below: str, above: str) -> str:
    return f"<munderover>{_o(sign)}{below}{above}</munderover>"


_x, _y, _q, _k, _v = _i("x"), _i("y"), _i("Q"), _i("K"), _i("V")
_d = _sub(_i("d"), _i("k"))
_even, _odd = _row(_n(2), _i("i")), _row(_n(2), _i("i"), _o("+"), _n(1))
_angle = _over(_i("pos"), _sup(_n(10000), _row(_n(2), _i("i"), _o("/"), _i("E"))))
_head = _sub(_t("head"), _i("h"))
_p = _i("p")
_before = _sub(_x, _row(_o("&lt;"), _i("t")))


def _projected(which: str) -> str:
    return _row(_i(which), _sup(_sub(_i("W"), _i("h")), _i(which)))


_FORMULAS: dict[str, tuple[str, ...]] = {
    "words_and_positions": (
        _row(_of(_t("PE"), _i("pos"), _even), _o("="), _t("sin"), _angle),
        _row(_of(_t("PE"), _i("pos"), _odd), _o("="), _t("cos"), _angle),
    ),
    "scaled_dot_product": (
        _row(
            _of(_t("Attention"), _q, _k, _v),
            _o("="),
            _of(_t("softmax"), _over(_row(_q, _sup(_k, _i("T"))), _root(_d))),
            _v,
        ),
    ),
    "multi_head": (
        _row(
            _of(_t("MultiHead"), _q, _k, _v),
            _o("="),
            _of(_t("Concat"), _sub(_t("head"), _n(1)), _o("…"), _sub(_t("head"), _i("H"))),
            _sup(_i("W"), _i("O")),
        ),
        _row(_head, _o("="), _of(_t("Attention"), _projected("Q"), _projected("K"), _projected("V"))),
    ),
    "masks": (
        _row(
            _of(_t("softmax"), _row(_over(_row(_q, _sup(_k, _i("T"))), _root(_d)), _o("+"), _i("M"))),
            _o(","),
            _sub(_i("M"), _row(_i("t"), _i("s"))),
            _o("="),
            _n(0),
            _o("/"),
            _o("−"),
            _o("∞"),
        ),
    ),
    "add_and_norm": (
        _of(_t("LayerNorm"), _row(_x, _o("+"), _of(_t("Sublayer"), _x))),
        _row(_of(_t("LayerNorm"), _y), _o("="), _i("γ"), _over(_row(_y, _o("−"), _i("μ")), _i("σ")), _o("+"), _i("β")),
    ),
    "feed_forward": (
        _row(
            _of(_t("FFN"), _x),
            _o("="),
            _of(_t("max"), _n(0), _row(_x, _sub(_i("W"), _n(1)), _o("+"), _sub(_i("b"), _n(1)))),
            _sub(_i("W"), _n(2)),
            _o("+"),
            _sub(_i("b"), _n(2)),
        ),
    ),
    "learning_and_writing": (
        _row(
            _t("loss"),
            _o("="),
            _o("−"),
            _over(_n(1), _i("T")),
            _many("∑", _row(_i("t"), _o("="), _n(1)), _i("T")),
            _t("log"),
            _p,
            _o("("),
            _sub(_y, _i("t")),
            _o("|"),
            _sub(_y, _row(_o("&lt;"), _i("t"))),
            _o(","),
            _x,
            _o(")"),
        ),
    ),
    "learned_positions": (_of(_t("LayerNorm"), _row(_t("word"), _o("+"), _t("position"), _o("+"), _t("segment"))),),
    "masked_words": (
        _row(
            _t("loss"),
            _o("="),
            _o("−"),
            _over(_n(1), _row(_o("|"), _i("C"), _o("|"))),
            f"<munder>{_o('∑')}{_row(_i('t'), _o('∈'), _i('C'))}</munder>",
            _t("log"),
            _p,
            _o("("),
            _sub(_x, _i("t")),
            _o("|"),
            _sub(_x, _t("[MASK]")),
            _o(")"),
        ),
    ),
    "reading_cls": (
        _row(
            _of(
                _t("softmax"),
                _row(
                    _i("W"),
                    _of(
                        _t("tanh"),
                        _row(_sub(_i("W"), _t("pool")), _sub(_x, _t("[CLS]")), _o("+"), _sub(_i("b"), _t("pool"))),
                    ),
                    _o("+"),
                    _i("b"),
                ),
            ),
        ),
    ),
    "decoder_only": (_row(_x, _o("+"), _of(_t("Sublayer"), _of(_t("LayerNorm"), _x))),),
    "only_backwards": (
        _row(
            _of(_p, _x),
            _o("="),
            _many("∏", _row(_i("t"), _o("="), _n(1)), _i("T")),
            _p,
            _o("("),
            _sub(_x, _i("t")),
            _o("|"),
            _before,
            _o(")"),
        ),
    ),
    "next_word": (
        _row(
            _t("loss"),
            _o("="),
            _o("−"),
            _over(_n(1), _row(_i("T"), _o("−"), _n(1))),
            _many("∑", _row(_i("t"), _o("="), _n(2)), _i("T")),
            _t("log"),
            _p,
            _o("("),
            _sub(_x, _i("t")),
            _o("|"),
            _before,
            _o(")"),
        ),
    ),
}

FORMULAS: dict[str, list[Markup]] = {
    part: [Markup(f'<math display="block"><mrow>{one}</mrow></math>') for one in formulas]
    for part, formulas in _FORMULAS.items()
}
