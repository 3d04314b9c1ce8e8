"""Small random models as Hugging Face checkpoints: the layouts that safetensors files come in. Of ci/logits.py.

| layout | matrices | named in `config.json` as |
|---|---|---|
| plain | f32, f16 or bf16, `weight` | `torch_dtype` |
| compressed-tensors | `weight_packed`, `weight_scale`, `weight_global_scale` (divides) | `nvfp4-pack-quantized`, `mxfp4-pack-quantized` |
| ModelOpt | `weight`, `weight_scale`, `weight_scale_2` (multiplies), `input_scale` | `modelopt`, NVFP4 |
| gpt-oss | `gate_up_proj_blocks` and `_scales`; as bf16 `gate_up_proj` with its columns first | `mxfp4` |

After the files that those tools write: the documentation of compressed-tensors, of NVIDIA's Model Optimizer, and of the gpt-oss model card.
What those tools leave in high precision (head, embedding, router, norms) is bf16 here."""
import json

import numpy as np
import safetensors
from gguf import GGMLQuantizationType as T
from matrices import Matrix, bf16, stored

INSIDE = dict(q_proj="self_attn.q_proj.weight", k_proj="self_attn.k_proj.weight", v_proj="self_attn.v_proj.weight",
              o_proj="self_attn.o_proj.weight", qkv_proj="self_attn.qkv_proj.weight", q_bias="self_attn.q_proj.bias",
              k_bias="self_attn.k_proj.bias", v_bias="self_attn.v_proj.bias", o_bias="self_attn.o_proj.bias",
              q_norm="self_attn.q_norm.weight", k_norm="self_attn.k_norm.weight", sinks="self_attn.sinks",
              gate_proj="mlp.gate_proj.weight", up_proj="mlp.up_proj.weight", down_proj="mlp.down_proj.weight",
              gate_up_proj="mlp.gate_up_proj.weight", router_bias="mlp.router.bias")
# name: (what differs from the base, types of the matrices, layout, files)
CHECKPOINTS = {
    "llama-hf": (dict(model_type="llama", vocab_size=32), [T.F16], "f16", 1),
    "qwen3-hf": (dict(model_type="qwen3", head_dim=32), [T.BF16], "bf16", 3),
    "gemma3-hf": (dict(vocab_size=32), [T.F16], "f16", 1),
    "granite-hf": (dict(hidden_size=32, intermediate_size=32, num_hidden_layers=1, vocab_size=32), [T.F32], "f32", 1),
    "phi3-hf": (dict(hidden_size=32, intermediate_size=32, num_attention_heads=2, num_key_value_heads=1, vocab_size=32), [T.BF16], "bf16", 1),
    "gpt-oss-hf": (dict(), [T.MXFP4], "gpt-oss", 2),
    "gpt-oss-bf16-hf": (dict(hidden_size=32, num_attention_heads=2, num_key_value_heads=1, vocab_size=32), [T.BF16], "bf16", 1),
    "nvfp4-ct-hf": (dict(model_type="llama", intermediate_size=128, vocab_size=32), [T.NVFP4], "compressed-tensors", 2),
    "mxfp4-ct-hf": (dict(model_type="llama", vocab_size=32), [T.MXFP4], "compressed-tensors", 1),
    "nvfp4-modelopt-hf": (dict(model_type="qwen2", intermediate_size=128, vocab_size=32), [T.NVFP4], "modelopt", 1),
    "nvfp4-moe-hf": (dict(model_type="qwen3_moe", num_experts=8, num_experts_per_tok=2, norm_topk_prob=True, moe_intermediate_size=64,
                          num_hidden_layers=1, vocab_size=32), [T.NVFP4], "compressed-tensors", 1),
}
# The shapes of GGUF models that a checkpoint begins from, by its name without the end.
FROM = {"llama-hf": "llama", "qwen3-hf": "qwen3", "gemma3-hf": "gemma3", "granite-hf": "granite", "phi3-hf": "phi3", "gpt-oss-hf": "gpt-oss",
        "gpt-oss-bf16-hf": "gpt-oss"}


def rounded(w, layout):
    """The weights as the layout holds them: what is no matrix of a product in bf16, but for the plain layouts of f16 and f32."""
    if layout in ("f16", "f32"):
        return w
    near = lambda t: stored(t.values, T.BF16, None) if t.kind == T.F32 else t
    return {name: near(t) if isinstance(t, Matrix) else bf16(t) for name, t in w.items()}


def neighbours(m):
    """FP4 as these layouts have it: codes of neighbours in a byte, and a byte of scale a block."""
    n = len(m.values)
    if m.kind == T.MXFP4:
        blocks = m.raw.reshape(n, -1, 17)
        scales, codes = blocks[..., 0], blocks[..., 1:]
    else:
        groups = m.raw.reshape(n, -1, 36)
        scales, codes = groups[..., :4].reshape(n, -1), groups[..., 4:].reshape(n, -1, 8)
    elements = np.concatenate([codes & 15, codes >> 4], -1)
    return (elements[..., ::2] | elements[..., 1::2] << 4).reshape(n, -1), np.ascontiguousarray(scales)


def plain(values, kind):
    """(type, shape, bytes) of values in a plain type."""
    values = values.values if isinstance(values, Matrix) else values
    if kind == T.BF16:
        raw = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
        assert not (raw & 0xffff).any(), "these are bf16 numbers"
        return "bfloat16", values.shape, (raw >> 16).astype(np.uint16).tobytes()
    return ("float16", values.shape, values.astype(np.float16).tobytes()) if kind == T.F16 else \
        ("float32", values.shape, values.astype(np.float32).tobytes())


def matrix(out, name, m, layout):
    """One matrix of a product, in the layout."""
    name = name.removesuffix(".weight")
    if m.kind not in (T.MXFP4, T.NVFP4):
        out[name + ".weight"] = plain(m, m.kind)
        return
    codes, scales = neighbours(m)
    nv = m.kind == T.NVFP4
    out[name + (".weight" if layout == "modelopt" else ".weight_packed")] = ("uint8", codes.shape, codes.tobytes())
    out[name + ".weight_scale"] = ("float8_e4m3fn" if nv else "uint8", scales.shape, scales.tobytes())
    one = lambda value, shape: ("float32", shape, np.float32(value).tobytes())
    if nv and layout == "modelopt":
        out[name + ".weight_scale_2"], out[name + ".input_scale"] = one(m.scale, ()), one(0.01, ())
    elif nv:
        out[name + ".weight_global_scale"], out[name + ".input_global_scale"] = one(1 / m.scale, (1,)), one(100.0, (1,))


def high(layout):
    """The type of what is no matrix of a product."""
    return T.F32 if layout in ("f16", "f32") else T.BF16


def gpt_oss(out, c, w, layout):
    """Experts as one tensor each for all: gate and up row by row in turn."""
    experts = range(c["num_local_experts"])
    for layer in range(c["num_hidden_layers"]):
        at, to = f"layers.{layer}.", f"model.layers.{layer}.mlp.experts."

        def turns(of, tail=""):
            pair = lambda e: np.stack([of(w[f"{at}gate{tail}.{e}"]), of(w[f"{at}up{tail}.{e}"])], 1)
            return np.stack([pair(e).reshape((-1,) + pair(e).shape[2:]) for e in experts])

        down = lambda of, tail="": np.stack([of(w[f"{at}down{tail}.{e}"]) for e in experts])
        for name, all in (("gate_up_proj", turns), ("down_proj", down)):
            if layout == "gpt-oss":
                scales = all(lambda m: neighbours(m)[1])
                codes = all(lambda m: neighbours(m)[0])
                codes = codes.reshape(scales.shape + (16,))
                out[f"{to}{name}_blocks"] = ("uint8", codes.shape, codes.tobytes())
                out[f"{to}{name}_scales"] = ("uint8", scales.shape, scales.tobytes())
            else:
                out[to + name] = plain(np.ascontiguousarray(all(lambda m: m.values).swapaxes(1, 2)), high(layout))
            out[f"{to}{name}_bias"] = plain(all(lambda v: v, "_bias"), high(layout))


def tensors(c, w, layout):
    """Every tensor by the name it has in a checkpoint: (type, shape, bytes)."""
    family, out = c["model_type"], {}
    router = "mlp.router.weight" if family == "gpt_oss" else "mlp.gate.weight"
    vectors = high(layout)
    for name, t in w.items():
        parts = name.split(".")
        if parts[0] != "layers":
            out["lm_head.weight" if name == "lm_head" else f"model.{name}.weight"] = plain(t, getattr(t, "kind", vectors))
            continue
        to = f"model.layers.{parts[1]}."
        if parts[2] in INSIDE or parts[2] == "router":
            to += INSIDE.get(parts[2], router)
            matrix(out, to, t, layout) if isinstance(t, Matrix) else out.update({to: plain(t, vectors)})
        elif parts[2].endswith("layernorm"):
            out["model." + name + ".weight"] = plain(t, vectors)
        elif family == "qwen3_moe":
            matrix(out, f"{to}mlp.experts.{parts[3]}.{parts[2]}_proj", t, layout)
    if family == "gpt_oss":
        gpt_oss(out, c, w, layout)
    return out


def quantisation(c, kind, layout):
    """What `config.json` says of it."""
    left = ["lm_head", "re:.*mlp.gate$"]
    if layout == "gpt-oss":
        return dict(quant_method="mxfp4", modules_to_not_convert=["model.layers.*.self_attn", "model.layers.*.mlp.router", "model.embed_tokens"])
    if layout == "modelopt":
        return dict(quant_method="modelopt", quant_algo="NVFP4", ignore=left, producer=dict(name="modelopt", version="0.33.0"))
    if layout == "compressed-tensors":
        scheme = dict(num_bits=4, type="float", strategy="tensor_group" if kind == T.NVFP4 else "group", group_size=16 if kind == T.NVFP4 else 32)
        name = "nvfp4-pack-quantized" if kind == T.NVFP4 else "mxfp4-pack-quantized"
        groups = dict(group_0=dict(targets=["Linear"], format=name, weights=scheme))
        return dict(quant_method="compressed-tensors", format=name, config_groups=groups, ignore=left, quantization_status="compressed")
    return None


def write(folder, c, w, layout, kind, files):
    """The checkpoint: `config.json`, and one file or several with an index."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.safetensors*"):
        old.unlink()
    all = sorted(tensors(c, w, layout).items())
    bytes_of = {key: np.frombuffer(entry[2], np.uint8) for key, entry in all}
    view = lambda key, entry: safetensors.TensorSpec(dtype=entry[0], shape=list(entry[1]), data_ptr=bytes_of[key].ctypes.data,
                                                     data_len=bytes_of[key].nbytes)
    place, names = {}, [f"model-{i + 1:05}-of-{files:05}.safetensors" for i in range(files)] if files > 1 else ["model.safetensors"]
    for i, name in enumerate(names):
        part = {key: view(key, entry) for at, (key, entry) in enumerate(all) if at * files // len(all) == i}
        safetensors.serialize_file(part, str(folder / name), {"format": "pt"})
        place.update({key: name for key in part})
    if files > 1:
        index = dict(metadata=dict(total_size=sum(len(entry[2]) for _, entry in all)), weight_map=place)
        (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=1) + "\n")
    said = quantisation(c, kind, layout)
    config = {**c, "torch_dtype": {"f16": "float16", "f32": "float32"}.get(layout, "bfloat16")}
    (folder / "config.json").write_text(json.dumps({**config, **({"quantization_config": said} if said else {})}, indent=1) + "\n")
