# %% [en] Tie the embeddings
# The scores of the next word are products with the word vectors: input and output share one matrix (section 3.4).
# `Model` has two. Write `tie(model)`, so that it has one, whichever way it learns.
# %% [zh] 共享词向量
# 给下一个词打分，就是与词向量做点积：输入和输出共用一个矩阵（3.4 节）。`Model` 有两个。
# 写出 `tie(model)`，让它只有一个，无论怎样训练都是同一个。
# %% stub
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.word = nn.Embedding(100, 8)
        self.lm_head = nn.Linear(8, 100, bias=False)

    def forward(self, ids):
        return self.lm_head(self.word(ids))


def tie(model):
    ...
# %% check
def check(tie):
    torch.manual_seed(0)
    model = Model()
    tie(model)
    count = sum(one.numel() for one in model.parameters())
    if not torch.equal(model.lm_head.weight, model.word.weight):
        return say(f"Still two matrices ({count:,} parameters).", f"还是两个矩阵（{count:,} 个参数）。")
    with torch.no_grad():
        model.word.weight[3] += 1
    if not torch.equal(model.lm_head.weight, model.word.weight):
        return say("A copy: equal now, but it won't be after one step. Make both names stand for one Parameter.", "这是复制：现在相等，训练一步之后就不等了。要让两个名字指向同一个 Parameter。")
    if count != 800 or model.lm_head.weight is not model.word.weight:
        return say(f"The numbers are shared, but {count:,} parameters are counted: share the Parameter itself.", f"数值共享了，但数出 {count:,} 个参数：请共享 Parameter 本身。")
    return say("Right: 800 parameters for 1,600 before, and gradients from both sides.", "正确：800 个参数，之前是 1,600 个；两边的梯度都会到达。")


print(check(tie))
# %% answer
def tie(model):
    model.lm_head.weight = model.word.weight
