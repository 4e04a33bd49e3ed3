"""Advice of a connection test on the options of a URL."""

import pytest
import sqlalchemy as sa

from ledger_pipelines.sources.diagnosis import option_advice


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        ("mysql+pymysql://h/d", "Add ?init_command=SET%20a to LEDGER_X_URL"),
        ("mysql+pymysql://h/d?charset=utf8mb4", "Add &init_command=SET%20a to LEDGER_X_URL"),
        ("mysql+pymysql://h/d?init_command=SET+b", "Include SET%20a in the option init_command of LEDGER_X_URL"),
    ],
)
def test_an_option_is_advised_as_the_url_needs_it(url: str, advice: str) -> None:
    assert option_advice(sa.make_url(url), "init_command=SET%20a", "LEDGER_X_URL") == advice
