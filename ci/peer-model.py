#!/usr/bin/env python3
"""Writes a GGUF file of random weights in a preset's shape, for other engines to run: ci/peer.sh compares with them.

    spark-bench list models --json | ci/peer-model.py llama-3.2-1b mxfp4 model.gguf
    ci/peer-model.py some/config.json nvfp4 model.gguf

FORMAT (mxfp4, nvfp4, q8_0, q4_0, bf16) is that of the layers' matrices; embedding and head are q8_0, norms f32: as
`spark-bench llm` has them by default. Weights are normal with the spread of an initialised model, so that block scales
are ordinary ones. Its vocabulary holds every byte and strings of letters, so that a server can be asked; an answer means nothing.
Needs the packages gguf (0.18 or later) and numpy.
"""

import itertools
import json
import string
import sys

try:
    import gguf
    import numpy as np
except ImportError as missing:
    sys.exit(f"peer-model: {missing}; pip install gguf numpy")

FORMATS = ["mxfp4", "nvfp4", "q8_0", "q4_0", "bf16"]
# model_type: GGUF's name of it, vectors of a layer beside the two norms.
FAMILIES = {"llama": ("llama", []), "mistral": ("llama", []), "qwen2": ("qwen2", ["bias"]), "qwen3": ("qwen3", ["norm"])}
# Rows quantised once; a matrix is made of blocks drawn from them, which takes a hundredth of the time.
POOL = 1 << 20


def refuse(what):
    print(f"peer-model: {what}", file=sys.stderr)
    sys.exit(2)


def shape(model):
    """The config.json of a preset or at a path."""
    if model.endswith(".json"):
        with open(model, encoding="utf-8") as file:
            return json.load(file)
    known = {row["name"]: row["config"] for row in json.load(sys.stdin)["models"]}
    if model not in known:
        refuse(f"no model '{model}'; there are: {', '.join(known)}")
    return known[model]


def nvfp4(values):
    """Blocks of 64 as GGUF has them: four E4M3 scales, then 8 bytes for each 16 values, the first 8 of them in the low halves."""
    sixteens = values.reshape(-1, 4, 16)
    scales = gguf.quants.NVFP4.fp32_to_ue4m3(np.abs(sixteens).max(axis=-1) / 6)
    # ue4m3_to_fp32 halves, because GGUF's table of E2M1 is doubled.
    steps = np.maximum(gguf.quants.NVFP4.ue4m3_to_fp32(scales) * 2, 2.0**-9)[..., None]
    codes = np.searchsorted([0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 5], np.abs(sixteens) / steps) | (sixteens < 0) << 3
    packed = (codes[..., :8] | codes[..., 8:] << 4).astype(np.uint8)
    return np.concatenate([scales, packed.reshape(-1, 32)], axis=-1)


def vocabulary(writer, size):
    """Byte-level pairs: every byte, then strings of letters with and without a space before, shorter ones first, each the merge of
    what stands before it and a letter. The last two are the beginning and the end of a text."""
    if size < 258:
        refuse(f"a vocabulary of {size} holds no bytes; it has 258 at least")
    # GPT-2's way to write a byte: as itself where that can be seen, else as one of the characters from 256 on.
    seen = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in seen]
    tokens = [chr(byte) if byte in seen else chr(256 + hidden.index(byte)) for byte in range(256)]
    merges, stems = [], [tokens[ord(" ")], *string.ascii_lowercase]
    strings = ((stem, letter) for stem in stems for letter in string.ascii_lowercase)
    while len(tokens) < size - 2:
        level = list(itertools.islice(strings, size - 2 - len(tokens)))
        merges += [f"{stem} {letter}" for stem, letter in level]
        longer = [stem + letter for stem, letter in level]
        tokens += longer
        strings = ((stem, letter) for stem in longer for letter in string.ascii_lowercase)
    kinds = [gguf.TokenType.NORMAL] * (size - 2) + [gguf.TokenType.CONTROL] * 2
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([*tokens, "<|begin|>", "<|end|>"])
    writer.add_token_types(kinds)
    writer.add_token_merges(merges)
    writer.add_bos_token_id(size - 2)
    writer.add_eos_token_id(size - 1)
    writer.add_add_bos_token(False)


class Maker:
    def __init__(self, writer):
        self.writer, self.random, self.pools = writer, np.random.default_rng(0), {}

    def vector(self, name, n, value=1.0):
        self.writer.add_tensor(name, np.full(n, value, np.float32))

    def matrix(self, name, rows, columns, form):
        of = gguf.GGMLQuantizationType[form.upper()]
        block, size = gguf.GGML_QUANT_SIZES[of]
        block, size = max(block, 32), size * max(block, 32) // block
        if columns % block:
            refuse(f"{name} has rows of {columns}, which {form} cannot hold: its blocks have {block}")
        if (columns, form) not in self.pools:
            # The E4M3 scales of nvfp4 lie below 448 and need the tensor's own scale, as in files that are published.
            spread = 1.0 if form == "nvfp4" else columns**-0.5
            values = self.random.standard_normal((POOL // block, block), np.float32) * np.float32(spread)
            raw = nvfp4(values) if form == "nvfp4" else gguf.quants.quantize(values, of)
            self.pools[columns, form] = np.ascontiguousarray(raw).view(np.uint8).reshape(-1, size)
        pool = self.pools[columns, form]
        drawn = pool[self.random.integers(len(pool), size=rows * columns // block)]
        self.writer.add_tensor(f"{name}.weight", drawn.reshape(rows, -1), raw_dtype=of)
        if form == "nvfp4":
            self.vector(f"{name}.scale", 1, columns**-0.5)


def main():
    if len(sys.argv) != 4 or sys.argv[2] not in FORMATS:
        refuse(f"usage: ci/peer-model.py MODEL|CONFIG.json {'|'.join(FORMATS)} OUT.gguf, a listing of models on stdin")
    config, form = shape(sys.argv[1]), sys.argv[2]
    if config.get("model_type") not in FAMILIES:
        refuse(f"model_type {config.get('model_type')} is not known here; it is one of {', '.join(FAMILIES)}")
    arch, more = FAMILIES[config["model_type"]]
    hidden, inner, layers = (config[n] for n in ("hidden_size", "intermediate_size", "num_hidden_layers"))
    heads, vocab = config["num_attention_heads"], config["vocab_size"]
    kv_heads = config.get("num_key_value_heads", heads)
    head = config.get("head_dim", hidden // heads)
    writer = gguf.GGUFWriter(sys.argv[3], arch)
    writer.add_name("random")
    writer.add_file_type(gguf.LlamaFileType["MOSTLY_" + {"mxfp4": "MXFP4_MOE"}.get(form, form.upper())])
    writer.add_block_count(layers)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(hidden)
    writer.add_feed_forward_length(inner)
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_rope_dimension_count(head)
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(vocab)
    vocabulary(writer, vocab)

    maker = Maker(writer)
    maker.matrix("token_embd", vocab, hidden, "q8_0")
    if not config.get("tie_word_embeddings"):
        maker.matrix("output", vocab, hidden, "q8_0")
    maker.vector("output_norm.weight", hidden)
    if config.get("rope_scaling"):
        # What each frequency is divided by: the same work whatever it is.
        maker.vector("rope_freqs.weight", head // 2)
    for layer in range(layers):
        name = f"blk.{layer}"
        maker.vector(f"{name}.attn_norm.weight", hidden)
        maker.vector(f"{name}.ffn_norm.weight", hidden)
        for part, rows in (("q", heads), ("k", kv_heads), ("v", kv_heads)):
            maker.matrix(f"{name}.attn_{part}", rows * head, hidden, form)
            if "bias" in more:
                maker.vector(f"{name}.attn_{part}.bias", rows * head, 0.01)
            if "norm" in more and part != "v":
                maker.vector(f"{name}.attn_{part}_norm.weight", head)
        maker.matrix(f"{name}.attn_output", hidden, heads * head, form)
        maker.matrix(f"{name}.ffn_gate", inner, hidden, form)
        maker.matrix(f"{name}.ffn_up", inner, hidden, form)
        maker.matrix(f"{name}.ffn_down", hidden, inner, form)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


main()
