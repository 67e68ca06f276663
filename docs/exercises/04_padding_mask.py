# %% [en] The padding mask
# Rows of a batch are filled up to one length, and nobody may look at the filling. `attention_mask` is `(B, S)`, 1 at
# real tokens and 0 at padding. Make of it what can be added to scores `(B, H, T, S)`: 0 or minus infinity, of a shape
# that fits every head and every query.
# %% [zh] 填充掩码
# 一个批次的各行要补到同样长，补上去的部分谁也不该看。`attention_mask` 是 `(B, S)`，真实词元为 1，填充为 0。
# 把它变成可以加到分数 `(B, H, T, S)` 上的东西：0 或负无穷，形状要适合每个头、每个查询。
# %% stub
import torch


def padding_mask(attention_mask):
    return torch.zeros(attention_mask.shape)
# %% check
def check(padding_mask):
    given = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 1, 1, 0, 0]])
    mask, scores = padding_mask(given), torch.zeros(3, 2, 4, 5)
    try:
        weights = (scores + mask).softmax(-1)
    except (TypeError, RuntimeError):
        return say("This can't be added to scores (B, H, T, S): put in two dimensions of 1, as (B, 1, 1, S).", "它不能加到分数 (B, H, T, S) 上：插入两个长度为 1 的维，成为 (B, 1, 1, S)。")
    if weights.shape != scores.shape or mask.shape[0] != 3:
        return say("Each row of the batch needs a mask of its own: (B, 1, 1, S).", "批次里每一行都要有自己的掩码：(B, 1, 1, S)。")
    hidden = (given == 0)[:, None, None].expand_as(weights)
    if weights.isnan().any() or (weights[~hidden] == 0).any():
        return say("A real token is hidden: minus infinity belongs where attention_mask is 0.", "有真实词元被遮住了：负无穷应放在 attention_mask 为 0 的地方。")
    if (weights[hidden] > 0).any():
        return say("Padding still gets a share: 0 or 1 added to a score hides nothing.", "填充仍然分到了份额：在分数上加 0 或 1 什么也遮不住。")
    return say("Right: padding gets exactly 0, in every head and for every query.", "正确：每个头、每个查询里，填充都恰好得到 0。")


print(check(padding_mask))
# %% answer
import torch


def padding_mask(attention_mask):
    hidden = attention_mask[:, None, None] == 0  # (B, 1, 1, S)
    return torch.zeros(hidden.shape).masked_fill(hidden, float("-inf"))
