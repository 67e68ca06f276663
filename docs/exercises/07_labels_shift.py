# %% [en] Why labels shift
# GPT-2 predicts at each place the token that comes next. So the labels are the text itself, shifted left by one. Write
# `next_tokens(ids)`, `(B, T)` to `(B, T)`; where nothing comes next stands -100, which no loss counts.
# %% [zh] 标签为什么要移位
# GPT-2 在每个位置预测下一个词元。所以标签就是文字本身左移一位。写出 `next_tokens(ids)`，从 `(B, T)` 到 `(B, T)`；
# 后面没有词元的地方写 -100，任何损失都不计算它。
# %% stub
import torch


def next_tokens(ids):
    return ids
# %% check
def check(next_tokens):
    from hf_xfmr.models import losses

    ids = torch.tensor([[5, 6, 7, 8], [9, 3, 4, 2]])
    mine = next_tokens(ids.clone())
    if mine is None or mine.shape != ids.shape:
        return say("Return as many labels as there are ids.", "标签应与编号一样多。")
    if torch.equal(mine, ids):
        return say("Not shifted: such a model learns to repeat what it has just read, and its loss goes to 0.", "没有移位：这样的模型只会重复刚读到的词，损失会变成 0。")
    if torch.equal(mine[:, 1:], ids[:, :-1]):
        return say("Shifted to the right: that asks for the token before.", "移反了方向：这是在问前一个词元。")
    if torch.equal(mine, ids.roll(-1, 1)):
        return say("The last place asks for the first token, which does not come next: it must be -100.", "最后一个位置在问第一个词元，但它并不是下一个：应为 -100。")
    if not torch.equal(mine, losses.next_tokens(ids)):
        return say("Place t must ask for token t + 1, the last one for nothing (-100).", "位置 t 应问第 t + 1 个词元，最后一个位置不问（-100）。")
    return say("Right: as `next_tokens` of this project.", "正确：与本项目的 `next_tokens` 相同。")


print(check(next_tokens))
# %% answer
import torch


def next_tokens(ids):
    nothing = torch.full_like(ids[:, :1], -100)
    return torch.cat([ids[:, 1:], nothing], 1)
