import socket

import pytest

from core.embedded.addresses import choose_page_port, choose_ports, is_port_free
from core.errors import ConfigurationError


def test_ports_are_kept_while_free_and_replaced_when_taken() -> None:
    first = choose_ports(["a", "b"], {})
    assert len(set(first.values())) == 2
    assert choose_ports(["a", "b"], first) == first
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", first["a"]))
        taken.listen()
        assert not is_port_free(first["a"])
        second = choose_ports(["a", "b"], first)
        assert second["a"] != first["a"]
        assert second["b"] == first["b"]
        with pytest.raises(ConfigurationError, match="in use"):
            choose_page_port(first["a"], None)
        assert choose_page_port(None, first["a"]) != first["a"]


def test_remembered_page_port_comes_first() -> None:
    port = choose_ports(["page"], {})["page"]
    assert choose_page_port(None, port) == port
