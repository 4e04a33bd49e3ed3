"""`ledger demo`: the whole ledger without the web interface."""

import re

from ledger_pipelines_tests.serving.conftest import Installation


def test_run_seeds_computes_and_prints_the_balances(installation: Installation) -> None:
    result = installation.run("demo", "run")
    assert result.exit_code == 0, result.output
    assert "The latest balances" in result.stdout
    balances = result.stdout.partition("The latest balances")[2]
    assert len(re.findall(r"^ +\d+ +PT |^ +\d+ +CV ", balances, re.MULTILINE)) == 36, balances


def test_the_same_demo_is_not_made_twice_and_another_is_refused(installation: Installation) -> None:
    seed = ("demo", "seed", "--customers", "5", "--months", "2", "--replace")
    assert "has now" in installation.run(*seed).stdout
    assert "has now" in installation.run(*seed).stdout
    assert "had before" in installation.run(*seed[:-1]).stdout
    refused = installation.run("demo", "seed", "--customers", "6")
    assert refused.exit_code == 1
    assert "another plan" in refused.stderr


def test_a_real_application_is_left_alone(installation: Installation) -> None:
    result = installation.run("demo", "seed", LEDGER_BILLING_URL="mysql+pymysql://me@nowhere/billing")
    assert result.exit_code == 1
    assert "--url" in result.stderr
    wrong = installation.run("demo", "seed", "--months", "0")
    assert wrong.exit_code == 1
    assert "months must lie between" in wrong.stderr
