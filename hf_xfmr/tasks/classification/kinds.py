"""Which kind of problem is at hand: by its name, or by what a label column holds."""

import re
from collections.abc import Sequence

from datasets import ClassLabel, LargeList, List, Value

from ...errors import UserError
from .answers import WHOLE
from .many_multi import ManyMultiLabel
from .many_single import ManySingleLabel
from .multi_label import MultiLabel
from .problem import Problem
from .regression import Regression
from .single_label import SingleLabel

KINDS: dict[str, type[Problem]] = {kind.problem_type: kind for kind in (SingleLabel, MultiLabel, Regression)}

MANY: dict[type[Problem], type[Problem]] = {SingleLabel: ManySingleLabel, MultiLabel: ManyMultiLabel}


def of_labels(kind: type[Problem], labels: Sequence) -> Problem:
    """The kind for these labels: for more than `WHOLE` of them one that does nothing that is quadratic in them."""
    return (MANY.get(kind, kind) if len(labels) > WHOLE else kind)(labels)


def kind_of(problem_type: str | None) -> type[Problem]:
    """The kind by its name in a model's config, where none stands for one label a row. Raises `UserError` for another
    name."""
    if problem_type is None:
        return SingleLabel
    if problem_type not in KINDS:
        raise UserError(f"the problem type '{problem_type}' is none of {', '.join(KINDS)}")
    return KINDS[problem_type]


def kind_of_column(feature, *, column: str, told: str | None) -> type[Problem]:
    """The kind that a label column of this feature poses: floats regression, lists several labels, anything else one;
    or the one that the user `told`. Raises `UserError` for a column of no labels, or of another kind than was told."""
    if told not in (None, *KINDS):
        raise UserError(f'problem_type is "{told}"; it can be {", ".join(KINDS)}')
    several = isinstance(feature, List | LargeList)
    inner = feature.feature if several else feature
    dtype = inner.dtype if isinstance(inner, Value | ClassLabel) else ""
    decimal = bool(re.match("float|double", dtype))
    if not re.match("int|uint|string|large_string|bool|float|double", dtype) or (several and decimal):
        raise UserError(
            f'label column "{column}" holds {feature}, but labels are texts, numbers, or lists of texts or whole '
            "numbers; name another label_column, or change this one"
        )
    if told and several != KINDS[told].several:
        raise UserError(
            f'problem_type is "{told}", but label column "{column}" holds {feature}, and lists alone are multi-label; '
            "leave problem_type out, or change the column"
        )
    if told:
        return KINDS[told]
    return MultiLabel if several else Regression if decimal else SingleLabel
