"""Bright Run's code, in layers that import one way only.

    pages, Home.py, worker.py, cli     entry points
    ui                                 Streamlit and Plotly
    bench                              long measurements of the product by itself
    bootstrap, command_bootstrap, worker_bootstrap
                                       composition roots of pages, commands and worker: they alone know services and adapters
    services | adapters                use cases | the outside world behind the ports
    ports                              what services need, as protocols
    domain                             pure decisions and records
    config | errors                    settings | the error tree

`embedded` is the one-machine stack: it starts real processes and hands out addresses and keys, nothing else.
"""
