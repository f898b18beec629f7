"""The certificate authorities that HTTP clients trust."""

import ssl
from functools import cache

import httpx


@cache
def load_authorities() -> ssl.SSLContext:
    """Load them once per process: that takes 40 ms, longer than a query; a client without this one loads them for itself."""
    return httpx.create_ssl_context()
