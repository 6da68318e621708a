"""Packages of workloads/, compiled when there is need: packages.build(NAME) is tools/workloads.py's."""
import importlib.util
import pathlib

import programs

TOOL = pathlib.Path(__file__).resolve().parents[2] / "tools/workloads.py"


def load():
    spec = importlib.util.spec_from_file_location("broch_workloads", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


tool = load()
build = tool.build


def module(name):
    """The module of a workload, to be run with another configuration than the package's."""
    return build(name) / "main.wasm"


def plain_server(port):
    """A configuration of the chat server for plain TCP, where everybody is anonymous."""
    return programs.incoming(port)


def plain_client(port):
    """And of the client, for a server on this machine."""
    return programs.outgoing(f"127.0.0.1:{port}")
