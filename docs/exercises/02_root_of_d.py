# %% [en] Why √D
# Products of two random vectors of D numbers spread the wider the larger D is, and softmax of wide scores gives all to
# one token. Write `scores(q, k)`, all products of the rows of `q` and `k`, `(N, D)` each, divided so that their spread
# (standard deviation) is about 1 whatever D is.
# %% [zh] 为什么要除以 √D
# 两个 D 维随机向量的点积，D 越大就越分散；分数太分散，softmax 就会把全部份额给一个词元。
# 写出 `scores(q, k)`：`q` 与 `k`（各为 `(N, D)`）各行之间的所有点积，除以一个数，使得无论 D 是多少，标准差都约为 1。
# %% stub
import torch


def scores(q, k):
    return q @ k.T
# %% check
def check(scores):
    torch.manual_seed(0)
    spread = {}
    for size in (4, 64, 1024):
        mine = scores(torch.randn(200, size), torch.randn(200, size))
        if mine is None or mine.shape != (200, 200):
            return say("Return all products, 200 × 200 here.", "请返回所有点积，这里是 200 × 200。")
        spread[size] = float(mine.std())
    told = ", ".join(f"D = {size}: {one:.2f}" for size, one in spread.items())
    if max(spread.values()) > 1.2:
        return say(f"The spread still grows with D ({told}): divide by something that grows like it.", f"分散程度仍随 D 增大（{told}）：除以一个同样增大的数。")
    if min(spread.values()) < 0.8:
        return say(f"Divided by too much ({told}): the sum of D products of spread 1 has spread √D, not D.", f"除得太多（{told}）：D 个标准差为 1 的乘积之和，标准差是 √D，不是 D。")
    return say(f"Right ({told}).", f"正确（{told}）。")


print(check(scores))
# %% answer
import torch


def scores(q, k):
    return q @ k.T / q.shape[-1] ** 0.5
