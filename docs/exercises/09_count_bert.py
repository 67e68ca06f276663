# %% [en] Count BERT-base
# 12 blocks, 768 dimensions, 3,072 within the feed-forward, 30,522 words, 512 positions, 2 segments; biases everywhere,
# a norm has a gain and a bias. How many parameters has the encoder with its pooler? Write `count(...)`, as a formula of
# these sizes.
# %% [zh] 数一数 BERT-base
# 12 个块，768 维，前馈内部 3,072 维，词表 30,522，512 个位置，2 个片段；处处有偏置，每个归一化有一个增益和一个偏置。
# 编码器连同 pooler 一共多少参数？写出 `count(...)`，用这些尺寸的公式表示。
# %% stub
def count(blocks, dim, inner, words, positions, segments):
    return 0
# %% check
def check(count):
    import torch
    from hf_xfmr import XfmrBertConfig, XfmrBertModel

    sizes = {"blocks": 12, "dim": 768, "inner": 3072, "words": 30522, "positions": 512, "segments": 2}
    with torch.device("meta"):  # no memory is taken
        model = XfmrBertModel(XfmrBertConfig())
    true = sum(one.numel() for one in model.parameters())
    mine = count(**sizes)
    if not mine:
        return say("Nothing counted yet: begin with the three matrices of the embeddings.", "还没有数：先从嵌入层的三个矩阵开始。")
    if mine == true - sum(one.numel() for one in model.pooler.parameters()):
        return say("Only the pooler is missing: one more layer of dim × dim, with a bias.", "只差 pooler：再加一层 dim × dim，带偏置。")
    if mine != true:
        parts = {"embeddings": model.embeddings, "one block": model.blocks[0], "pooler": model.pooler}
        told = ", ".join(f"{name} {sum(p.numel() for p in part.parameters()):,}" for name, part in parts.items())
        return say(f"{mine:,}, and it is {true - mine:+,} off. The parts: {told}.", f"{mine:,}，还差 {true - mine:+,}。各部分：{told}。")
    if count(2, 64, 128, 100, 32, 2) == true:
        return say("A number, not a formula: it must follow the sizes.", "这是一个数，不是公式：它应随尺寸变化。")
    return say(f"Right: {true:,}, which is called 110 million.", f"正确：{true:,}，通常说 1.1 亿。")


print(check(count))
# %% answer
def count(blocks, dim, inner, words, positions, segments):
    norm = 2 * dim
    embeddings = (words + positions + segments) * dim + norm
    attention = 4 * (dim * dim + dim)  # query, key, value, out
    feed_forward = dim * inner + inner + inner * dim + dim
    pooler = dim * dim + dim
    return embeddings + blocks * (attention + feed_forward + 2 * norm) + pooler
