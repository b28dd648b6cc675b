"""Writes a small random model of each family with Hugging Face's own classes, and what those classes make of a prompt.

Arguments: a folder to write to. Prints one JSON object: {family: {"prompt": ..., "text": ..., "tokens": ...}}.
"""
import json
import pathlib
import sys

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM, PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

CORPUS = ["once upon a time a small model told a story to a very large machine, and the machine listened", "there was a queue; nobody had to wait in it for long", "time and again the story came to its end"]
PROMPT = "once upon a time the machine"
TOKENS = 24
END = "<|endoftext|>"

# Two programs add in different orders: the best token must not win by less than that can change.
CLEAR = 0.02

SIZES = dict(hidden_size=96, intermediate_size=160, num_hidden_layers=3, num_attention_heads=6, num_key_value_heads=2, max_position_embeddings=512, initializer_range=0.15)
LLAMA3 = dict(rope_type="llama3", rope_theta=500000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=32)
FAMILIES = {
    "llama": lambda common: LlamaForCausalLM(LlamaConfig(**SIZES, **common, rope_parameters=LLAMA3, tie_word_embeddings=False)),
    "llama-bias": lambda common: LlamaForCausalLM(LlamaConfig(**SIZES, **common, attention_bias=True, mlp_bias=False, tie_word_embeddings=True)),
    "mistral": lambda common: MistralForCausalLM(MistralConfig(**SIZES, **common, head_dim=24, sliding_window=None, tie_word_embeddings=False)),
    "qwen2": lambda common: Qwen2ForCausalLM(Qwen2Config(**SIZES, **common, tie_word_embeddings=True)),
}


def train_tokenizer():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=160, special_tokens=[END], initial_alphabet=[], show_progress=False))
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END)


def randomize(model):
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter, 0.0, 0.3)
        elif parameter.dim() == 1:
            torch.nn.init.normal_(parameter, 1.0, 0.2)


@torch.no_grad()
def generate(folder, ids):
    """Greedy, the whole prompt anew for every token: nothing can hide in a cache. Returns the tokens, and how clearly the least clear of them won."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    made, margin = [], float("inf")
    for _ in range(TOKENS):
        best = torch.topk(model(torch.tensor([ids + made]), use_cache=False).logits[0, -1], 2)
        margin = min(margin, float(best.values[0] - best.values[1]))
        made.append(int(best.indices[0]))
    return made, margin


def write(root, family, tokenizer):
    common = dict(vocab_size=len(tokenizer), bos_token_id=None, eos_token_id=tokenizer.eos_token_id, pad_token_id=None)
    ids = tokenizer(PROMPT, add_special_tokens=False)["input_ids"]
    folder = root / family
    for seed in range(200):
        torch.manual_seed(seed)
        model = FAMILIES[family](common)
        randomize(model)
        model.to(torch.bfloat16).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        made, margin = generate(folder, ids)
        if margin > CLEAR and tokenizer.eos_token_id not in made and len(set(made)) > 4:
            return {"prompt": PROMPT, "text": tokenizer.decode(made), "tokens": len(made), "seed": seed, "margin": margin}
    raise SystemExit(f"no seed of 200 gives a {family} model whose every token is clear by {CLEAR}")


root = pathlib.Path(sys.argv[1])
shared = train_tokenizer()
print(json.dumps({family: write(root, family, shared) for family in FAMILIES}))
