"""A TCP proxy that spoils connections on order: ``python -m fireproof.faults.tcp_proxy``.

Its HTTP API has Toxiproxy's shape. Standard library only; a process of its own.
"""
