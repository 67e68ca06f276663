"""Names by which columns are known, in any letter case."""

LABELS = ["label", "labels", "category", "class", "target", "sentiment", "polarity", "rating", "score", "stars"]
LABELS += ["标签", "类别"]
TEXTS = ["text", "sentence", "review", "content", "comment", "document", "tweet", "query", "question", "body"]
TEXTS += ["sentence1", "sentence2", "text1", "text2", "question1", "question2", "premise", "hypothesis"]
TEXTS += ["文本", "内容", "评论"]
IDS = ["id", "idx"]
