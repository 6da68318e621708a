"""Where the tests find the checkout, the build and the shared test data."""
import os
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("BROCH_BUILD", ROOT / "build/release"))
SHARED = pathlib.Path(os.environ.get("BROCH_SHARED", ROOT.parent / "shared"))


@pytest.fixture(scope="session")
def root():
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def build():
    """The folder of the build under test."""
    return BUILD
