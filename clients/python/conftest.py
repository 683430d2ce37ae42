"""Where the world is."""

import json
import os
import urllib.request
from types import SimpleNamespace

import pytest
from common import DIALECTS, Dialect


@pytest.fixture(params=DIALECTS)
def dialect(request) -> Dialect:
    return Dialect(request.param)


@pytest.fixture(scope="session")
def world() -> SimpleNamespace:
    return SimpleNamespace(
        base_url=os.environ["CLIENTS_BASE_URL"],
        key=os.environ["CLIENTS_KEY"],
        management_key=os.environ["CLIENTS_MANAGEMENT_KEY"],
        # Used by one test only, so that its usage is that test's.
        quiet_key=os.environ["CLIENTS_QUIET_KEY"],
        # May spend a millionth of a dollar a day.
        small_key=os.environ["CLIENTS_SMALL_KEY"],
    )


@pytest.fixture(scope="session")
def last_upstream():
    """Reads the body that a simulated provider received last."""

    def read() -> dict:
        with urllib.request.urlopen(os.environ["CLIENTS_SIM"] + "/_sim/log") as answer:
            log = json.load(answer)
        return json.loads(log[-1]["body"])

    return read
