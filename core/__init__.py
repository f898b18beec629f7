"""Bright Run's code, in layers that import one way only.

    pages, Home.py, worker.py, cli     entry points
    ui                                 Streamlit and Plotly
    bootstrap                          composition root: the only place that knows services and adapters
    services | adapters                use cases | the outside world behind the ports
    ports                              what services need, as protocols
    domain                             pure decisions and records
    config | errors                    settings | the error tree

`embedded` is the one-machine stack: it starts real processes and hands out addresses and keys, nothing else.
"""
