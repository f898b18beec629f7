"""A tiny random model and its tokenizer, made from the texts that are trained on. Runs inside a trainer's environment."""

from collections.abc import Sequence
from pathlib import Path

from chat_tokenizer import LONGEST_TOKENS, make_tokenizer
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, set_seed


def make_tiny_model(folder: Path, texts: Sequence[str]) -> PreTrainedTokenizerFast:
    """Save model and tokenizer; no weights are fetched, and the same texts give the same model."""
    set_seed(0)
    tokenizer = make_tokenizer(texts)
    tokenizer.save_pretrained(folder)
    LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=2,
            num_attention_heads=4,
            initializer_range=0.2,  # So large that a few steps of LoRA change something.
            max_position_embeddings=LONGEST_TOKENS,
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
        )
    ).save_pretrained(folder)
    return tokenizer
