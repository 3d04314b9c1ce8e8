#!/usr/bin/env python3
"""Small random models in GGUF and safetensors, and the logits an independent implementation computes for them.

    ci/logits.py                      writes workloads/tests/models/: the models and NAME.json with tokens and logits
    ci/logits.py --peer PROGRAM       also compares with llama.cpp: `PROGRAM model.gguf 1,2,3` prints a logit a line, as
                                      ci/llama-logits.py does
    ci/logits.py --transformers       also compares with the transformers package on a CPU (pip install torch transformers), which sees
                                      the same numbers in f64; and lets it read what checkpoint layouts it knows by itself

Needs numpy and the public packages gguf, safetensors from 0.8 and tokenizers (pip install numpy gguf safetensors tokenizers); it is no
part of the tests, which read what it wrote. The implementation is the straight one in double precision: weights as the gguf package decodes them, one token after another,
no cache. The peer sees the same models with every matrix in f32, so that nothing but the architecture is compared."""
import argparse
import json
import subprocess
import tempfile
from pathlib import Path

import checkpoints
import gguf
import numpy as np
import vocabulary
from gguf import GGMLQuantizationType as T
from matrices import Matrix, stored

HERE = Path(__file__).resolve().parent.parent / "workloads/tests/models"
BASE = dict(hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=16,
            vocab_size=64, rms_norm_eps=1e-5, rope_theta=10000.0, max_position_embeddings=1024, tie_word_embeddings=False)
LLAMA3 = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=32)
YARN = dict(rope_type="yarn", factor=4.0, beta_fast=32.0, beta_slow=1.0, original_max_position_embeddings=64, truncate=False)
LONG = dict(rope_type="longrope", short_factor=[1.0, 1.1, 1.3, 2.0], long_factor=[1.0, 2.0, 3.0, 4.0])

# name: (what differs from BASE, types of the matrices in turn)
MODELS = {
    "llama": (dict(model_type="llama", rope_scaling=LLAMA3), [T.Q8_0, T.F16]),
    "qwen2": (dict(model_type="qwen2", tie_word_embeddings=True), [T.Q4_0, T.Q8_0]),
    "qwen3": (dict(model_type="qwen3", head_dim=32), [T.F16, T.BF16]),
    "qwen3moe": (dict(model_type="qwen3_moe", num_experts=8, num_experts_per_tok=2, norm_topk_prob=True, moe_intermediate_size=32), [T.BF16]),
    "gemma3": (dict(model_type="gemma3_text", hidden_size=32, intermediate_size=64, num_hidden_layers=6, num_attention_heads=2,
                    num_key_value_heads=1, query_pre_attn_scalar=16, sliding_window=5, sliding_window_pattern=6, rope_theta=1e6,
                    rope_local_base_freq=1e4, hidden_activation="gelu_pytorch_tanh", tie_word_embeddings=True,
                    rope_scaling=dict(rope_type="linear", factor=8.0)), [T.Q5_1, T.Q4_1, T.Q5_0]),
    "granite": (dict(model_type="granite", embedding_multiplier=12.0, attention_multiplier=0.1, residual_multiplier=0.3, logits_scaling=6.0,
                     tie_word_embeddings=True), [T.Q5_0, T.Q4_1]),
    "phi3": (dict(model_type="phi3", original_max_position_embeddings=512, partial_rotary_factor=0.5, rope_scaling=LONG), [T.Q5_1]),
    "gpt-oss": (dict(model_type="gpt_oss", num_local_experts=4, num_experts_per_tok=2, intermediate_size=32, attention_bias=True,
                     sliding_window=4, rope_theta=150000.0, rope_scaling=YARN), [T.MXFP4, T.MXFP4]),
    "nvfp4": (dict(model_type="llama", hidden_size=64, intermediate_size=64), [T.NVFP4]),
    "k-quants": (dict(model_type="llama", hidden_size=256, intermediate_size=256, num_hidden_layers=1, num_key_value_heads=1, head_dim=64),
                 [T.Q4_K, T.Q5_K, T.Q6_K]),
    "nvfp4-moe": (dict(model_type="qwen3_moe", num_experts=4, num_experts_per_tok=2, norm_topk_prob=True, moe_intermediate_size=64,
                       num_hidden_layers=1, vocab_size=32), [T.NVFP4]),
}


def weights(c, kinds, random):
    """Every tensor by its Hugging Face name; experts of gpt-oss as gate and up by themselves."""
    h, ff, hd = c["hidden_size"], c["intermediate_size"], c["head_dim"]
    q, kv, family = c["num_attention_heads"] * hd, c["num_key_value_heads"] * hd, c["model_type"]
    turn = iter(range(10**6))

    def matrix(n, k, kind=None):
        kind = kind if kind is not None else kinds[next(turn) % len(kinds)]
        return stored(random.standard_normal((n, k)) * 1.3 / np.sqrt(k), kind, random)

    def vector(n, spread=0.2, mean=0.0):
        return (mean + spread * random.standard_normal(n)).astype(np.float32).astype(np.float64)

    norm = 0.0 if family == "gemma3_text" else 1.0
    plain = kinds[0] if kinds[0] not in (T.MXFP4, T.NVFP4) else T.BF16
    w = {"embed_tokens": stored(random.standard_normal((c["vocab_size"], h)), plain, random), "norm": vector(h, 0.2, norm)}
    if plain in (T.Q4_K,):
        w["embed_tokens"] = stored(random.standard_normal((c["vocab_size"], h)), T.Q6_K, random)
    if not c["tie_word_embeddings"]:
        w["lm_head"] = matrix(c["vocab_size"], h, plain if plain == T.BF16 else None)
    other = T.BF16 if family == "gpt_oss" and kinds[0] == T.MXFP4 else None
    for layer in range(c["num_hidden_layers"]):
        at = lambda name: f"layers.{layer}.{name}"
        w[at("input_layernorm")] = vector(h, 0.2, norm)
        w[at("post_attention_layernorm")] = vector(h, 0.2, norm)
        if family == "gemma3_text":
            w[at("pre_feedforward_layernorm")] = vector(h, 0.2, norm)
            w[at("post_feedforward_layernorm")] = vector(h, 0.2, norm)
        if family in ("qwen3", "qwen3_moe", "gemma3_text"):
            w[at("q_norm")], w[at("k_norm")] = vector(hd, 0.2, norm), vector(hd, 0.2, norm)
        if family == "phi3":
            w[at("qkv_proj")] = matrix(q + 2 * kv, h)
        else:
            w[at("q_proj")], w[at("k_proj")], w[at("v_proj")] = matrix(q, h, other), matrix(kv, h, other), matrix(kv, h, other)
        w[at("o_proj")] = matrix(h, q, other)
        if family in ("qwen2", "gpt_oss"):
            w[at("q_bias")], w[at("k_bias")], w[at("v_bias")] = vector(q), vector(kv), vector(kv)
        if family == "gpt_oss":
            w[at("o_bias")], w[at("sinks")], w[at("router_bias")] = vector(h), vector(c["num_attention_heads"], 1.0), vector(c["num_local_experts"])
        if family in ("gpt_oss", "qwen3_moe"):
            experts = c.get("num_local_experts") or c["num_experts"]
            width = c.get("moe_intermediate_size", ff)
            w[at("router")] = matrix(experts, h, T.F32)
            for e in range(experts):
                w[at(f"gate.{e}")], w[at(f"up.{e}")], w[at(f"down.{e}")] = matrix(width, h), matrix(width, h), matrix(h, width)
                if family == "gpt_oss":
                    w[at(f"gate_bias.{e}")], w[at(f"up_bias.{e}")], w[at(f"down_bias.{e}")] = vector(width), vector(width), vector(h)
        elif family == "phi3":
            w[at("gate_up_proj")], w[at("down_proj")] = matrix(2 * ff, h), matrix(h, ff)
        else:
            w[at("gate_proj")], w[at("up_proj")], w[at("down_proj")] = matrix(ff, h), matrix(ff, h), matrix(h, ff)
    return w


def frequencies(c, theta, scaling, rotary):
    """(frequencies, magnitude) of positions, as Hugging Face's functions define them."""
    f = theta ** (-np.arange(0, rotary, 2) / rotary)
    kind = (scaling or {}).get("rope_type")
    if kind == "linear":
        return f / scaling["factor"], 1.0
    if kind == "llama3":
        old, low, high = scaling["original_max_position_embeddings"], scaling["low_freq_factor"], scaling["high_freq_factor"]
        length = 2 * np.pi / f
        smooth = (old / length - low) / (high - low)
        middle = (1 - smooth) * f / scaling["factor"] + smooth * f
        return np.where(length > old / low, f / scaling["factor"], np.where(length < old / high, f, middle)), 1.0
    if kind == "yarn":
        old, factor = scaling["original_max_position_embeddings"], scaling["factor"]
        place = lambda turns: rotary * np.log(old / (turns * 2 * np.pi)) / (2 * np.log(theta))
        low, high = max(place(scaling["beta_fast"]), 0), min(place(scaling["beta_slow"]), rotary - 1)
        ramp = np.clip((np.arange(rotary // 2) - low) / max(high - low, 1e-3), 0, 1)
        return f / factor * ramp + f * (1 - ramp), 0.1 * np.log(factor) + 1
    if kind == "longrope":
        old = c["original_max_position_embeddings"]
        factor = c["max_position_embeddings"] / old
        return f / np.array(scaling["short_factor"]), np.sqrt(1 + np.log(factor) / np.log(old))
    return f, 1.0


def logits(c, w, tokens):
    """The logits of the last token, in double precision."""
    family, hd, heads, kvs = c["model_type"], c["head_dim"], c["num_attention_heads"], c["num_key_value_heads"]
    gemma, n = family == "gemma3_text", len(tokens)
    value = lambda name: w[name].values if isinstance(w[name], Matrix) else w[name]

    def rms(x, gains):
        gains = gains + 1 if gemma else gains
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + c["rms_norm_eps"]) * gains

    silu = lambda x: x / (1 + np.exp(-x))
    gelu = lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    x = value("embed_tokens")[tokens] * (np.sqrt(c["hidden_size"]) if gemma else c.get("embedding_multiplier", 1.0))
    residual = c.get("residual_multiplier", 1.0)
    rotary = int(hd * c.get("partial_rotary_factor", 1.0))
    for layer in range(c["num_hidden_layers"]):
        at = lambda name: value(f"layers.{layer}.{name}")
        local = (gemma and (layer + 1) % 6 != 0) or (family == "gpt_oss" and layer % 2 == 0)
        theta, scaling = c["rope_theta"], c.get("rope_scaling")
        if gemma and local:
            theta, scaling = c["rope_local_base_freq"], None
        f, magnitude = frequencies(c, theta, scaling, rotary)
        angle = np.arange(n)[:, None] * f
        cos, sin = np.cos(angle)[:, None] * magnitude, np.sin(angle)[:, None] * magnitude
        h = rms(x, at("input_layernorm"))
        if family == "phi3":
            q, k, v = np.split(h @ at("qkv_proj").T, [heads * hd, (heads + kvs) * hd], axis=1)
        else:
            q, k, v = (h @ at(f"{p}_proj").T for p in "qkv")
        if family in ("qwen2", "gpt_oss"):
            q, k, v = q + at("q_bias"), k + at("k_bias"), v + at("v_bias")
        q, k, v = q.reshape(n, heads, hd), k.reshape(n, kvs, hd), v.reshape(n, kvs, hd)
        if f"layers.{layer}.q_norm" in w:
            q, k = rms(q, at("q_norm")), rms(k, at("k_norm"))

        def turned(t):
            a, b = t[..., :rotary // 2], t[..., rotary // 2:rotary]
            return np.concatenate([a * cos - b * sin, b * cos + a * sin, t[..., rotary:]], -1)

        q, k = turned(q), turned(k)
        scale = c.get("attention_multiplier") or 1 / np.sqrt(c.get("query_pre_attn_scalar", hd))
        seen = np.tril(np.ones((n, n), bool))
        if local:
            seen &= np.arange(n)[:, None] - np.arange(n)[None] < c["sliding_window"]
        out = np.zeros((n, heads, hd))
        for i in range(heads):
            s = np.where(seen, q[:, i] @ k[:, i * kvs // heads].T * scale, -np.inf)
            sink = at("sinks")[i] if family == "gpt_oss" else -np.inf
            most = np.maximum(s.max(-1, keepdims=True), sink)
            e = np.exp(s - most)
            out[:, i] = e @ v[:, i * kvs // heads] / (e.sum(-1, keepdims=True) + np.exp(sink - most))
        delta = out.reshape(n, -1) @ at("o_proj").T
        if family == "gpt_oss":
            delta = delta + at("o_bias")
        if gemma:
            delta = rms(delta, at("post_attention_layernorm"))
        x = x + delta * residual
        h = rms(x, at("pre_feedforward_layernorm" if gemma else "post_attention_layernorm"))
        if family in ("gpt_oss", "qwen3_moe"):
            delta = np.zeros_like(h)
            score = h @ at("router").T
            for t in range(n):
                s = score[t] + (at("router_bias") if family == "gpt_oss" else 0)
                best = np.argsort(-s)[:c["num_experts_per_tok"]]
                share = np.exp(s[best] - s[best].max())
                for e, part in zip(best, share / share.sum()):
                    gate, up = at(f"gate.{e}") @ h[t], at(f"up.{e}") @ h[t]
                    if family == "gpt_oss":
                        gate, up = np.minimum(gate + at(f"gate_bias.{e}"), 7), np.clip(up + at(f"up_bias.{e}"), -7, 7)
                        a = gate / (1 + np.exp(-1.702 * gate)) * (up + 1)
                        delta[t] += part * (at(f"down.{e}") @ a + at(f"down_bias.{e}"))
                    else:
                        delta[t] += part * (at(f"down.{e}") @ (silu(gate) * up))
        else:
            gate, up = np.split(h @ at("gate_up_proj").T, 2, 1) if family == "phi3" else (h @ at("gate_proj").T, h @ at("up_proj").T)
            delta = ((gelu if gemma else silu)(gate) * up) @ at("down_proj").T
        if gemma:
            delta = rms(delta, at("post_feedforward_layernorm"))
        x = x + delta * residual
    head = value("embed_tokens" if c["tie_word_embeddings"] else "lm_head")
    return rms(x[-1], value("norm")) @ head.T / c.get("logits_scaling", 1.0)


def write_gguf(path, c, w):
    """The model as llama.cpp's converter lays it out."""
    family, hd = c["model_type"], c["head_dim"]
    arch = {"qwen3_moe": "qwen3moe", "gemma3_text": "gemma3", "gpt_oss": "gpt-oss"}.get(family, family)
    g = gguf.GGUFWriter(str(path), arch)
    g.add_name("made at random"), g.add_context_length(c["max_position_embeddings"]), g.add_block_count(c["num_hidden_layers"])
    g.add_embedding_length(c["hidden_size"]), g.add_feed_forward_length(c["intermediate_size"])
    g.add_head_count(c["num_attention_heads"]), g.add_head_count_kv(c["num_key_value_heads"]), g.add_layer_norm_rms_eps(c["rms_norm_eps"])
    g.add_rope_freq_base(c["rope_theta"]), g.add_key_length(hd), g.add_value_length(hd), g.add_vocab_size(c["vocab_size"])
    rotary = int(hd * c.get("partial_rotary_factor", 1.0))
    g.add_rope_dimension_count(rotary)
    g.add_tokenizer_model("no_vocab")
    scaling = c.get("rope_scaling") or {}
    plain = lambda name, values: g.add_tensor(name, np.ascontiguousarray(values, dtype=np.float32))
    if scaling.get("rope_type") in ("linear", "yarn"):
        g.add_rope_scaling_type(gguf.RopeScalingType(scaling["rope_type"])), g.add_rope_scaling_factor(scaling["factor"])
    if scaling.get("rope_type") == "yarn":
        g.add_rope_scaling_orig_ctx_len(scaling["original_max_position_embeddings"])
        g.add_rope_scaling_yarn_beta_fast(scaling["beta_fast"]), g.add_rope_scaling_yarn_beta_slow(scaling["beta_slow"])
    if scaling.get("rope_type") == "longrope":
        g.add_rope_scaling_orig_ctx_len(c["original_max_position_embeddings"])
        g.add_rope_scaling_attn_factors(float(frequencies(c, 1e4, scaling, rotary)[1]))
        plain("rope_factors_long.weight", scaling["long_factor"]), plain("rope_factors_short.weight", scaling["short_factor"])
    if scaling.get("rope_type") == "llama3":
        f = frequencies(c, c["rope_theta"], None, rotary)[0]
        plain("rope_freqs.weight", f / frequencies(c, c["rope_theta"], scaling, rotary)[0])
    if "sliding_window" in c:
        g.add_sliding_window(c["sliding_window"])
    if family == "granite":
        g.add_attention_scale(c["attention_multiplier"]), g.add_embedding_scale(c["embedding_multiplier"])
        g.add_residual_scale(c["residual_multiplier"]), g.add_logit_scale(c["logits_scaling"])
    experts = c.get("num_local_experts") or c.get("num_experts")
    if experts:
        g.add_expert_count(experts), g.add_expert_used_count(c["num_experts_per_tok"])
        g.add_expert_feed_forward_length(c.get("moe_intermediate_size", c["intermediate_size"]))

    def put(name, m):
        g.add_tensor(name + ".weight", np.ascontiguousarray(m.raw), raw_dtype=m.kind)
        if m.scale is not None:
            g.add_tensor(name + ".scale", np.array([m.scale], np.float32))

    def pairs(m):
        # Rows i and i + half of a head become neighbours.
        rows = np.arange(len(m.values)).reshape(-1, 2, hd // 2).swapaxes(1, 2).reshape(-1)
        return m.rows(rows) if family in ("llama", "granite") else m

    norm = lambda name, values: plain(name, values + (1 if family == "gemma3_text" else 0))
    put("token_embd", w["embed_tokens"]), norm("output_norm.weight", w["norm"])
    if "lm_head" in w:
        put("output", w["lm_head"])
    names = dict(o_proj="attn_output", qkv_proj="attn_qkv", v_proj="attn_v", gate_proj="ffn_gate", up_proj="ffn_up", gate_up_proj="ffn_up",
                 down_proj="ffn_down", router="ffn_gate_inp")
    norms = dict(input_layernorm="attn_norm", q_norm="attn_q_norm", k_norm="attn_k_norm", pre_feedforward_layernorm="ffn_norm",
                 post_feedforward_layernorm="post_ffw_norm", sinks="attn_sinks")
    norms["post_attention_layernorm"] = "post_attention_norm" if family in ("gemma3_text", "gpt_oss") else "ffn_norm"
    biases = dict(q_bias="attn_q", k_bias="attn_k", v_bias="attn_v", o_bias="attn_output", router_bias="ffn_gate_inp")
    for layer in range(c["num_hidden_layers"]):
        at, to = f"layers.{layer}.", f"blk.{layer}."
        here = {name[len(at):]: t for name, t in w.items() if name.startswith(at)}
        for name in ("q_proj", "k_proj"):
            if name in here:
                put(to + "attn_" + name[0], pairs(here[name]))
        for name, m in here.items():
            if name in names:
                put(to + names[name], m)
            elif name in norms:
                (plain if name == "sinks" else norm)(to + norms[name] + ".weight", m)
            elif name in biases:
                plain(to + biases[name] + ".bias", m)
        for name in ("gate", "up", "down"):
            if f"{name}.0" in here:
                all = [here[f"{name}.{e}"] for e in range(experts)]
                raw = np.stack([m.raw for m in all])
                g.add_tensor(f"{to}ffn_{name}_exps.weight", raw, raw_dtype=all[0].kind)
                if all[0].scale is not None:
                    plain(f"{to}ffn_{name}_exps.scale", np.array([m.scale for m in all]))
            if f"{name}_bias.0" in here:
                plain(f"{to}ffn_{name}_exps.bias", np.stack([here[f"{name}_bias.{e}"] for e in range(experts)]))
    g.write_header_to_file(), g.write_kv_data_to_file(), g.write_tensors_to_file(), g.close()


def write_golden(name, tokens, said):
    """Tokens and the logits after them, to be read beside the model of that name."""
    golden = dict(origin="ci/logits.py", tokens=tokens, logits=[float(f"{x:.9g}") for x in said])
    (HERE / f"{name}.json").write_text(json.dumps(golden) + "\n")


def folders():
    """The checkpoints in their layouts: (name, config, weights, tokens)."""
    for at, (name, (more, kinds, layout, files)) in enumerate(checkpoints.CHECKPOINTS.items()):
        c = {**BASE, **MODELS.get(checkpoints.FROM.get(name), [{}])[0], **more}
        w = checkpoints.rounded(weights(c, kinds, np.random.default_rng(200 + at)), layout)
        checkpoints.write(HERE / name, c, w, layout, kinds[0], files)
        yield name, c, w, [int(t) for t in np.random.default_rng(300 + at).integers(0, c["vocab_size"], 12)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--peer", help="a program that prints llama.cpp's logits: PROGRAM model.gguf 1,2,3")
    parser.add_argument("--transformers", action="store_true", help="compare with the transformers package, too")
    arguments = parser.parse_args()
    peer, other = arguments.peer, None
    if arguments.transformers:
        import independent as other
    HERE.mkdir(parents=True, exist_ok=True)
    for at, (name, (more, kinds)) in enumerate(MODELS.items()):
        c = {**BASE, **more}
        tokens = [int(t) for t in np.random.default_rng(100 + at).integers(0, c["vocab_size"], 12)]
        w = weights(c, kinds, np.random.default_rng(at))
        write_gguf(HERE / f"{name}.gguf", c, w)
        said = logits(c, w, tokens)
        write_golden(name, tokens, said)
        if other:
            other.compare(name, c, w, tokens, said)
        if peer:
            # llama.cpp rounds yarn's bounds to whole dimensions and reads no window for gpt-oss's first tokens otherwise.
            simple = {k: v for k, v in c.items() if not (k == "rope_scaling" and v["rope_type"] == "yarn")}
            plain = weights(simple, [T.F32], np.random.default_rng(at))
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "model.gguf"
                write_gguf(path, simple, plain)
                theirs = subprocess.run([peer, path, ",".join(map(str, tokens))], capture_output=True, text=True, check=True).stdout
            theirs, ours = np.array(theirs.split(), float), logits(simple, plain, tokens)
            print(f"{name}: llama.cpp differs by {np.abs(theirs - ours).max() / np.abs(ours).max():.1e} of the largest logit")
    for name, c, w, tokens in folders():
        said = logits(c, w, tokens)
        write_golden(name, tokens, said)
        if other:
            other.compare(name, c, w, tokens, said)
            other.read(HERE / name, tokens, said)
    vocabulary.write(HERE)


if __name__ == "__main__":
    main()
