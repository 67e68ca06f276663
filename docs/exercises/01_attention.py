# %% [en] Write attention
# Each query asks all keys. The products, divided by √D, become shares by softmax, and the result is the mean of the
# values with these shares (Vaswani et al., 2017, equation 1). `q`, `k` and `v` are `(B, H, T, D)`; return the result,
# `(B, H, T, D)`.
# %% [zh] 写出注意力
# 每个查询去问所有的键。点积除以 √D，经过 softmax 变成份额，结果就是按这些份额对值求的平均（Vaswani 等，2017，公式 1）。
# `q`、`k`、`v` 的形状都是 `(B, H, T, D)`；返回结果，形状也是 `(B, H, T, D)`。
# %% stub
import torch


def attention(q, k, v):
    ...
# %% check
def check(attention):
    from hf_xfmr.models.blocks import eager_attention

    torch.manual_seed(0)
    q, k, v = (torch.randn(2, 4, 5, 8) for _ in range(3))
    mine = attention(q, k, v)
    if mine is None:
        return say("Nothing comes back yet: end with return.", "还没有返回任何东西：用 return 结束。")
    if mine.shape != q.shape:
        return say(f"The shape is {tuple(mine.shape)}, not {tuple(q.shape)}.", f"形状是 {tuple(mine.shape)}，应为 {tuple(q.shape)}。")
    if torch.allclose(mine, (q @ k.mT).softmax(-1) @ v, atol=1e-5):
        return say("Nearly: the products are not divided by √D yet.", "差一点：点积还没有除以 √D。")
    if torch.allclose(mine, (q @ k.mT / 8**0.5).softmax(-2) @ v, atol=1e-5):
        return say("Softmax runs over the queries: each row of a query must sum to 1, so take the last dimension.", "softmax 沿着查询的方向做了：每个查询的一行之和应为 1，请用最后一维。")
    reference = eager_attention(torch.nn.Identity(), q, k, v, None, 8**-0.5)[0].transpose(1, 2)
    if not torch.allclose(mine, reference, atol=1e-5):
        return say("The numbers differ from this project's own attention: softmax(q kᵀ / √D) v.", "数值与本项目的注意力不同：应为 softmax(q kᵀ / √D) v。")
    return say("Right: the same numbers as this project's own attention.", "正确：与本项目自己的注意力数值相同。")


print(check(attention))
# %% answer
import torch


def attention(q, k, v):
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
    return scores.softmax(-1) @ v
