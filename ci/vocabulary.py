"""A small tokenizer.json, and what the public tokenizers package makes of texts with it. Of ci/logits.py."""
import json

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

TEXTS = ["the spark", "a spark, a bench: the heart of a benchmark", "<|im_start|>the answer<|im_end|>", "hard at the bar", ""]
FROM = ["the spark bench makes the heart of a machine speak", "a benchmark that has no heart is no bench", "the answer, the bar: a hash"]


def write(folder):
    """The vocabulary of qwen3-hf, which has 64 tokens, and texts with their tokens."""
    made = Tokenizer(models.BPE(unk_token="<unk>"))
    made.normalizer = normalizers.NFC()
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.decoder = decoders.Metaspace()
    special = ["<unk>", "<|im_start|>", "<|im_end|>", "<end>"]
    made.train_from_iterator(FROM, trainers.BpeTrainer(vocab_size=64, special_tokens=special, show_progress=False))
    made.post_processor = processors.TemplateProcessing(single="<|im_start|> $A", special_tokens=[("<|im_start|>", 1)])
    made.save(str(folder / "qwen3-hf/tokenizer.json"))
    # What ends an answer here has none of the usual names.
    (folder / "qwen3-hf/generation_config.json").write_text(json.dumps(dict(eos_token_id=[3])) + "\n")
    golden = []
    for text in TEXTS:
        tokens = made.encode(text).ids
        golden.append(dict(text=text, tokens=tokens, said=made.decode(tokens)))
    (folder / "qwen3-hf.tokens.json").write_text(json.dumps(dict(origin="ci/logits.py", ends=[2, 3], texts=golden), indent=1) + "\n")
