"""What the Hugging Face Hub reads."""
