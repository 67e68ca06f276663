# %% [en] Count GPT-2
# 12 blocks of 768 dimensions, feed-forward of four times that, 50,257 tokens, 1,024 positions. No segments, no pooler,
# one more norm after the last block, and the scores come from the word vectors themselves. How many parameters has the
# model that writes?
# %% [zh] 数一数 GPT-2
# 12 个块，768 维，前馈是它的四倍，50,257 个词元，1,024 个位置。没有片段，没有 pooler，最后一个块之后多一个归一化，
# 分数直接来自词向量。会写字的这个模型一共多少参数？
# %% stub
def count(blocks, dim, words, positions):
    return 0
# %% check
def check(count):
    import torch
    from hf_xfmr import XfmrGPT2Config, XfmrGPT2ForCausalLM

    with torch.device("meta"):  # no memory is taken
        model = XfmrGPT2ForCausalLM(XfmrGPT2Config())
        model.tie_weights()
    true = sum(one.numel() for one in model.parameters())
    mine = count(12, 768, 50257, 1024)
    if not mine:
        return say("Nothing counted yet: begin with words and positions.", "还没有数：先从词和位置开始。")
    if mine == true + 50257 * 768:
        return say("The word vectors are counted twice: input and output share one matrix.", "词向量数了两遍：输入和输出共用一个矩阵。")
    if mine == true - 2 * 768:
        return say("Only the norm after the last block is missing.", "只差最后一个块之后的归一化。")
    if mine != true:
        block = sum(one.numel() for one in model.transformer.blocks[0].parameters())
        return say(f"{mine:,}, and it is {true - mine:+,} off. One block has {block:,}.", f"{mine:,}，还差 {true - mine:+,}。一个块有 {block:,}。")
    if count(2, 64, 100, 32) == true:
        return say("A number, not a formula: it must follow the sizes.", "这是一个数，不是公式：它应随尺寸变化。")
    return say(f"Right: {true:,}, which is called 124 million.", f"正确：{true:,}，通常说 1.24 亿。")


print(check(count))
# %% answer
def count(blocks, dim, words, positions):
    norm = 2 * dim
    attention = 4 * (dim * dim + dim)
    feed_forward = 8 * dim * dim + 5 * dim
    return (words + positions) * dim + blocks * (attention + feed_forward + 2 * norm) + norm
