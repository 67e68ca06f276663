# %% [en] The causal mask
# A decoder must not see what comes later, or in training it would copy the answer. Write `causal_mask(length)`: a
# float tensor `(length, length)` to be added to the scores, 0 where the row's token may look, minus infinity where it
# must not.
# %% [zh] 因果掩码
# 解码器不能看见后面的内容，否则训练时它会直接抄答案。写出 `causal_mask(length)`：一个 `(length, length)` 的浮点张量，
# 加到分数上；这一行的词元可以看的地方是 0，不许看的地方是负无穷。
# %% stub
import torch


def causal_mask(length):
    return torch.zeros(length, length)
# %% check
def check(causal_mask):
    mask = causal_mask(5)
    if mask is None or mask.shape != (5, 5):
        return say("Return a tensor (length, length).", "请返回 (length, length) 的张量。")
    weights = mask.softmax(-1)
    if weights.isnan().any():
        return say("A row sees nothing, and its softmax is not a number: a token may always see itself.", "有一行什么也看不见，softmax 成了 NaN：每个词元总可以看见自己。")
    if (weights.triu(1) > 0).any():
        return say("A token still sees a later one: everything right of the diagonal must be minus infinity.", "还有词元能看见后面的：对角线右边必须全是负无穷。")
    if not torch.equal(weights > 0, torch.ones(5, 5).tril().bool()):
        return say("A token does not see all before it: keep the diagonal and what is left of it at 0.", "有词元看不全前文：对角线和左边都应是 0。")
    return say("Right: what comes later gets exactly 0.", "正确：后面的内容恰好得到 0。")


print(check(causal_mask))
# %% answer
import torch


def causal_mask(length):
    return torch.full((length, length), float("-inf")).triu(1)
