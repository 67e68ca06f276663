# %% [en] Cut into heads
# One vector of E numbers a token becomes H vectors of D = E / H: write `split(x, heads)`, `(B, T, E)` to `(B, H, T, D)`.
# Head 0 takes the first D numbers of each token, head 1 the next, and so on.
# %% [zh] 切成多个头
# 每个词元的 E 个数变成 H 个 D = E / H 维的向量：写出 `split(x, heads)`，从 `(B, T, E)` 到 `(B, H, T, D)`。
# 头 0 取每个词元最前面的 D 个数，头 1 取接下来的 D 个，依此类推。
# %% stub
import torch


def split(x, heads):
    ...
# %% check
def check(split):
    from hf_xfmr import XfmrBertConfig
    from hf_xfmr.models.blocks import Attention

    x = torch.arange(2 * 5 * 12.0).view(2, 5, 12)
    mine = split(x, 3)
    if mine is None:
        return say("Nothing comes back yet: end with return.", "还没有返回任何东西：用 return 结束。")
    if mine.shape != (2, 3, 5, 4):
        return say(f"The shape is {tuple(mine.shape)}, not (2, 3, 5, 4).", f"形状是 {tuple(mine.shape)}，应为 (2, 3, 5, 4)。")
    if torch.equal(mine, x.reshape(2, 3, 5, 4)):
        return say("The shape is right, the numbers are not: one reshape mixes the tokens. Cut E first, then swap T and H.", "形状对了，数值不对：一次 reshape 会把不同词元混在一起。先切开 E，再交换 T 和 H。")
    reference = Attention(XfmrBertConfig(), 12, 3, 0.0, 0).heads(x)
    if not torch.equal(mine, reference):
        return say("Head 0 must take the first D numbers of each token.", "头 0 应取每个词元最前面的 D 个数。")
    return say("Right: as `Attention.heads` cuts.", "正确：与 `Attention.heads` 的切法相同。")


print(check(split))
# %% answer
import torch


def split(x, heads):
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)
