"""A small local server that speaks Anthropic's Messages API, so that everything runs without a key and without cost.

The real SDK talks to it by `base_url`. Its conversations are made from the request's persona, arc and topic; faults come by
rate and scope. The same seed and the same requests in the same order give the same answers, also after a restart.
"""
