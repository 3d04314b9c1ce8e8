"""What the public transformers package computes for the same models. Of ci/logits.py."""
import tempfile
import warnings
from pathlib import Path

import checkpoints
import numpy as np
import torch
import transformers
from gguf import GGMLQuantizationType as T
from matrices import Matrix

transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
warnings.filterwarnings("ignore")


def last_logits(folder, tokens, **more):
    """The logits of the last token, and the tensors that it did not find or did not know."""
    load = transformers.AutoModelForCausalLM.from_pretrained
    model, told = load(folder, attn_implementation="eager", experts_implementation="eager", output_loading_info=True, **more)
    with torch.no_grad():
        logits = model.eval()(torch.tensor([tokens])).logits[0, -1]
    lost = [*told["missing_keys"], *told["unexpected_keys"], *told["mismatched_keys"]]
    return logits.double().numpy(), [name for name in lost if "lm_head" not in str(name)]


def said(name, theirs, ours, lost):
    off = np.abs(theirs - ours).max() / np.abs(ours).max()
    print(f"{name}: transformers {transformers.__version__} differs by {off:.1e} of the largest logit" + (f"; lost {lost}" if lost else ""))


def compare(name, c, w, tokens, ours):
    """The same numbers, stored in f32 and computed in f64: nothing but the architecture is compared."""
    wide = lambda t: Matrix(None, t.values, T.F32) if isinstance(t, Matrix) else t
    with tempfile.TemporaryDirectory() as folder:
        # Without a token of padding some classes take one beyond these vocabularies.
        checkpoints.write(Path(folder), {**c, "pad_token_id": 0}, {key: wide(t) for key, t in w.items()}, "f32", T.F32, 1)
        said(name, *mixed(last_logits(folder, tokens, dtype=torch.float64), ours))


def read(folder, tokens, ours):
    """The checkpoint as it is, where the package reads its layout on a CPU: compressed-tensors (with that package), gpt-oss, plain ones."""
    more = dict(dtype=torch.float32)
    # What it unpacks it computes in bf16.
    if folder.name == "gpt-oss-hf":
        more = dict(quantization_config=transformers.Mxfp4Config(dequantize=True), dtype=torch.bfloat16)
    elif "-ct-" in folder.name:
        more = dict(dtype=torch.bfloat16)
    try:
        said(f"{folder.name} as it is", *mixed(last_logits(folder, tokens, **more), ours))
    except Exception as error:
        print(f"{folder.name} as it is: not read by it here: {str(error).splitlines()[0][:200]}")


def mixed(theirs, ours):
    return theirs[0], ours, theirs[1]
