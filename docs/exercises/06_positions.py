# %% [en] Positions as waves
# Attention knows no order. Write `positions(length, dim)`: a table `(length, dim)` whose even columns 2i are
# sin(pos / 10000^(2i / dim)) and whose odd columns 2i + 1 the cosines of the same angles (section 3.5).
# %% [zh] 用波表示位置
# 注意力不知道先后。写出 `positions(length, dim)`：一张 `(length, dim)` 的表，偶数列 2i 是 sin(pos / 10000^(2i / dim))，
# 奇数列 2i + 1 是同一角度的余弦（3.5 节）。
# %% stub
import torch


def positions(length, dim):
    return torch.zeros(length, dim)
# %% check
def check(positions):
    from hf_xfmr.models.blocks import sinusoids

    mine, table = positions(50, 16), sinusoids(50, 16)
    if mine is None or mine.shape != table.shape:
        return say("Return a table (length, dim).", "请返回 (length, dim) 的表。")
    mine = mine.float()
    if torch.allclose(mine, torch.cat([table[:, 0::2], table[:, 1::2]], 1), atol=1e-4):
        return say("All the sines come first: sine and cosine must take turns, column by column.", "所有正弦排在了前面：正弦和余弦应逐列交替。")
    if torch.allclose(mine[:, 0], table[:, 0], atol=1e-4) and not torch.allclose(mine, table, atol=1e-4):
        return say("The first column is right, others not: the exponent is 2i / dim, the same for a sine and its cosine.", "第一列对了，其他列不对：指数是 2i / dim，正弦和它的余弦用同一个。")
    if not torch.allclose(mine, table, atol=1e-4):
        return say("Column 0 must be sin(pos), and column 1 cos(pos).", "第 0 列应为 sin(pos)，第 1 列应为 cos(pos)。")
    return say("Right: the table of the 2017 Transformer.", "正确：2017 年 Transformer 的位置表。")


print(check(positions))
# %% answer
import torch


def positions(length, dim):
    even = torch.arange(0, dim, 2)
    angle = torch.arange(length)[:, None] / 10000 ** (even / dim)
    return torch.stack([angle.sin(), angle.cos()], -1).flatten(1)
