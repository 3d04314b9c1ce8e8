#!/usr/bin/env python3
"""The logits after a model's last token by llama.cpp's library, one a line: what `ci/logits.py --peer` asks for.

    LLAMA_LIB=.../libllama.so ci/logits.py --peer ci/llama-logits.py
    GGML_LIB=.../libggml.so               where backends are libraries of their own, which that one finds

Only what has been the same for long is called. The library's settings are handed on as it makes them, unread, in a kilobyte: their fields
may come and go. It calculates as it does unless told: with a cache of f16."""
import ctypes as c
import os
import sys


class Settings(c.Structure):
    _fields_ = [("bytes", c.c_ubyte * 1024)]


class Batch(c.Structure):
    _fields_ = [("n_tokens", c.c_int32), ("token", c.c_void_p), ("embd", c.c_void_p), ("pos", c.c_void_p),
                ("n_seq_id", c.c_void_p), ("seq_id", c.c_void_p), ("logits", c.c_void_p)]


def main():
    if len(sys.argv) != 3:
        sys.exit(f"usage: {sys.argv[0]} MODEL.gguf TOKENS")
    llama = c.CDLL(os.environ.get("LLAMA_LIB", "libllama.so"))
    for name, result, arguments in [
        ("llama_model_default_params", Settings, []),
        ("llama_context_default_params", Settings, []),
        ("llama_model_load_from_file", c.c_void_p, [c.c_char_p, Settings]),
        ("llama_init_from_model", c.c_void_p, [c.c_void_p, Settings]),
        ("llama_batch_get_one", Batch, [c.c_void_p, c.c_int32]),
        ("llama_decode", c.c_int32, [c.c_void_p, Batch]),
        ("llama_get_logits_ith", c.POINTER(c.c_float), [c.c_void_p, c.c_int32]),
        ("llama_model_get_vocab", c.c_void_p, [c.c_void_p]),
        ("llama_vocab_n_tokens", c.c_int32, [c.c_void_p]),
    ]:
        of = getattr(llama, name)
        of.restype, of.argtypes = result, arguments
    if "GGML_LIB" in os.environ:
        c.CDLL(os.environ["GGML_LIB"]).ggml_backend_load_all()
    llama.llama_backend_init()
    model = llama.llama_model_load_from_file(sys.argv[1].encode(), llama.llama_model_default_params())
    if not model:
        sys.exit("llama.cpp does not load it")
    # The whole kilobyte is passed by value; the callee reads as much of it as its structure is long.
    context = llama.llama_init_from_model(model, llama.llama_context_default_params())
    tokens = [int(token) for token in sys.argv[2].split(",")]
    given = (c.c_int32 * len(tokens))(*tokens)
    if llama.llama_decode(context, llama.llama_batch_get_one(c.cast(given, c.c_void_p), len(tokens))):
        sys.exit("llama.cpp does not compute it")
    logits = llama.llama_get_logits_ith(context, -1)
    for at in range(llama.llama_vocab_n_tokens(llama.llama_model_get_vocab(model))):
        print(f"{logits[at]:.9g}")


if __name__ == "__main__":
    main()
