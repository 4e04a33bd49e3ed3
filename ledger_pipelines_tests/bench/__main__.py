"""`python -m ledger_pipelines_tests.bench [NAME …]`: run the benchmarks and print their figures."""

import sys
from collections.abc import Callable

from ledger_pipelines_tests.bench import api, billing, dashboard, erp, ledger, realtime

BENCHMARKS: dict[str, Callable[[], None]] = {
    "one-month": ledger.one_month,
    "many-months": ledger.many_months,
    "one-customer": ledger.one_customer,
    "one-change": realtime.one_change,
    "api": api.measure_mixed_reads,
    "dashboard": dashboard.measure_pages,
    "readings-to-balances": billing.readings_to_balances,
    "erp-million": erp.first_and_later_syncs,
    "erp-hourly": erp.hourly_sync,
}


def main(names: list[str]) -> int:
    """Run the named benchmarks, or all; return the exit code."""
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"unknown benchmark: {', '.join(unknown)}. Benchmarks: {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 1
    for name in names or BENCHMARKS:
        print(f"-- {name}")
        BENCHMARKS[name]()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
