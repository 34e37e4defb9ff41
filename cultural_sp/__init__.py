"""Cultural alignment of frozen language models by evolved soft prompts."""
