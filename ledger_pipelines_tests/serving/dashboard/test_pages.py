"""Pages of the dashboard: they show the figures of the warehouse, in both languages."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from html import unescape
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from ledger_pipelines.defs.partitions import RANGE_END_TAG, RANGE_START_TAG
from ledger_pipelines.ledger.reconciliation.comparison import compare_balances
from ledger_pipelines.ledger.reconciliation.invoices import reconcile_invoices
from ledger_pipelines.ledger.reconciliation.partners import update_default_partners
from ledger_pipelines.rejection_reasons import ReasonCode, RejectionReason
from ledger_pipelines.serving.dashboard import pages as page_modules
from ledger_pipelines.serving.dashboard.navigation import NavEntry
from ledger_pipelines.serving.dashboard.pages import syncs as syncs_pages
from ledger_pipelines.serving.dashboard.pages.customers import column_totals
from ledger_pipelines.serving.dashboard.pages.syncs import load_sync
from ledger_pipelines.serving.dashboard.request_context import RequestContext
from ledger_pipelines.serving.dashboard.translations import CATALOGUE
from ledger_pipelines.serving.dashboard.translations.formats import LANGUAGES, Formats, Language
from ledger_pipelines.serving.web.discovery import declared_in
from ledger_pipelines.settings import project_folder
from ledger_pipelines.warehouse.ops import sync_logs
from ledger_pipelines.warehouse.ops.loaded_months import mark_loaded
from ledger_pipelines.warehouse.ops.sync_logs import SyncedTable, SyncLog, SyncResult
from ledger_pipelines.warehouse.tables import (
    balance_alerts,
    balance_comparison,
    customer_business_partners,
    customers,
    deposits,
    erp_tables,
    invoice_reconciliation,
    loaded_months,
    monthly_customer_balances,
    rejected_rows,
    sync_log_tables,
    transaction_calculations,
)
from ledger_pipelines.warehouse.tables import sync_logs as logs_table
from ledger_pipelines_tests.support.billing_pipeline import WIB, without_loaded_months
from ledger_pipelines_tests.support.builders import reason_values
from ledger_pipelines_tests.support.serving.dashboard_client import DashboardClient, guarded_paths, visible_text
from ledger_pipelines_tests.support.serving.fake_dagster import serve_fake_dagster
from ledger_pipelines_tests.support.tables import execute, newest_audit_entry

_balance, _transaction = monthly_customer_balances.c, transaction_calculations.c
RUN = "00000000-0000-0000-0000-000000000000"  # the run id that the stand-in answers
FORMATS = {language: Formats(language, WIB) for language in LANGUAGES}


def query(dashboard: DashboardClient, statement: sa.Select[Any]) -> Sequence[Any]:
    """Return the rows of a query on the warehouse."""
    with dashboard.warehouse.connect() as connection:
        return connection.execute(statement).all()


@pytest.fixture(params=LANGUAGES)
def user(request: pytest.FixtureRequest, viewer: DashboardClient) -> DashboardClient:
    """Return a client of a viewer, in each language."""
    viewer.language = request.param
    return viewer


def formats(dashboard: DashboardClient) -> Formats:
    """Return the formats of the client's language."""
    language: Language = "id" if dashboard.language == "id" else "en"
    return FORMATS[language]


def test_every_page_of_the_navigation_is_documented() -> None:
    document = (project_folder() / "docs" / "dashboard.md").read_text(encoding="utf-8")
    titles = [CATALOGUE[entry.label].en for entry in declared_in(page_modules, NavEntry)]
    assert {"Overview", "Customers"} <= set(titles)
    missing = [title for title in titles if f"\n| {title} | " not in document]
    assert missing == [], "add the page to docs/dashboard.md, Pages"


def test_overview_has_the_sums_of_the_year(user: DashboardClient) -> None:
    year = user.api.context.horizon.current[:4]
    found = query(user, sa.select(monthly_customer_balances).where(_balance.year_month.startswith(year)))
    last = {row.customer_id: row.closing_balance for row in sorted(found, key=lambda row: row.year_month)}
    page = visible_text(user.get("/"))
    shown = formats(user)
    for amount in (
        sum((row.total_deposits for row in found), Decimal(0)),
        sum((row.total_purchases for row in found), Decimal(0)),
        sum(last.values(), Decimal(0)),
    ):
        assert shown.rupiah(amount) in page
    assert f"{shown.number(sum((row.total_volume_sm3 for row in found), Decimal(0)))} Sm³" in page


def test_overview_is_at_both_paths(viewer: DashboardClient) -> None:
    title = "<title>Overview · Customer ledger</title>"
    assert title in viewer.get("/").text
    assert title in viewer.get("/realtime-balance/test").text


def test_overview_has_every_month_of_the_chosen_year(viewer: DashboardClient) -> None:
    months = query(viewer, sa.select(_balance.year_month, sa.func.sum(_balance.closing_balance)).group_by("year_month"))
    for year in {month[:4] for month, _ in months}:
        page = visible_text(viewer.get(f"/?year={year}"))
        for month, closing in months:
            assert (FORMATS["en"].rupiah(closing) in page) == (month[:4] == year)


@pytest.mark.parametrize("path", ["/", "/customers/11"])
def test_charts_show_the_closing_balances(viewer: DashboardClient, path: str) -> None:
    customer = sa.true() if path == "/" else _balance.customer_id == 11
    sums = sa.select(_balance.year_month, sa.func.sum(_balance.closing_balance)).where(customer).group_by("year_month")
    closings = [closing for _, closing in sorted(query(viewer, sums))]
    found = re.findall(
        r'<script type="application/json" id="figure-\d">(.*?)</script>', viewer.get(path).text, re.DOTALL
    )
    traces = [json.loads(figure)["data"] for figure in found]
    assert len(traces) == 3
    assert all(trace["y"] for figure in traces for trace in figure)
    (shown,) = [trace["y"] for figure in traces for trace in figure if trace.get("name") == "Balance"]
    units = {closing / Decimal(value) for value, closing in zip(shown, closings[-len(shown) :], strict=True)}
    assert units in [{Decimal(10) ** power} for power in (0, 3, 6, 9, 12)]


def test_year_without_balances(viewer: DashboardClient) -> None:
    assert "There are no balances for 1999." in visible_text(viewer.get("/?year=1999"))


def test_customer_is_found_by_name_number_and_contract(viewer: DashboardClient) -> None:
    customer = query(viewer, sa.select(customers).where(customers.c.no_kontrak.is_not(None)))[0]
    for text in (customer.name.upper(), customer.name[3:].lower(), str(customer.customer_id), customer.no_kontrak):
        page = viewer.get("/customers", params={"q": text})
        assert f'href="/customers/{customer.customer_id}"' in page.text, text


@pytest.mark.parametrize("text", ["%", "_", "'; DROP TABLE billing.customers; --", "\x00", "<script>alert(1)</script>"])
def test_search_takes_every_text_literally(viewer: DashboardClient, text: str) -> None:
    page = viewer.get("/customers", params={"q": text})
    assert page.status_code == 200
    assert 'href="/customers/' not in page.text
    assert "<script>alert" not in page.text


def test_customer_has_every_month_to_the_cent(user: DashboardClient) -> None:
    (customer_id,) = query(user, sa.select(sa.func.min(_balance.customer_id)))[0]
    page = visible_text(user.get(f"/customers/{customer_id}"))
    shown = formats(user)
    for row in query(user, sa.select(monthly_customer_balances).where(_balance.customer_id == customer_id)):
        assert shown.month(row.year_month) in page
        assert all(
            shown.rupiah(amount) in page
            for amount in (row.opening_balance, row.total_deposits, row.total_purchases, row.closing_balance)
        )
        assert shown.number(row.total_volume_sm3) in page


def test_uncomputed_ledger_claims_no_missing_figures(user: DashboardClient) -> None:
    customer = {"customer_id": 998, "role": "customer", "name": "PT Baru", "use_realtime_calculation": True}
    execute(user.warehouse, sa.insert(customers).values(customer))
    try:
        with without_loaded_months(user.warehouse):
            pages = [visible_text(user.get(path)) for path in ("/customers/998", "/customers/998/months/2025-01")]
    finally:
        execute(user.warehouse, sa.delete(customers).where(customers.c.customer_id == 998))
    keys = ("customer.no_months", "customer.no_readings", "customer.no_deposits", "first.nothing_computed")
    *unwanted, expected = [CATALOGUE[key][user.language == "id"] for key in keys]
    for page in pages:
        assert expected in page
        assert not any(text in page for text in unwanted)


def test_negative_balance_is_marked_with_a_word(user: DashboardClient) -> None:
    debtors = query(user, sa.select(_balance.customer_id).where(_balance.closing_balance < 0).limit(1))
    page = visible_text(user.get(f"/customers/{debtors[0].customer_id}"))
    assert {"en": " owes ", "id": " menunggak "}[user.language] in page
    assert "−Rp" in page


def test_month_has_its_transactions_and_deposits(user: DashboardClient) -> None:
    (customer_id, month) = query(
        user,
        sa.select(_transaction.customer_id, _transaction.year_month)
        .join_from(
            transaction_calculations,
            deposits,
            sa.and_(
                deposits.c.customer_id == _transaction.customer_id, deposits.c.year_month == _transaction.year_month
            ),
        )
        .limit(1),
    )[0]
    page = visible_text(user.get(f"/customers/{customer_id}/months/{month}"))
    shown = formats(user)
    mine = sa.and_(_transaction.customer_id == customer_id, _transaction.year_month == month)
    found = query(user, sa.select(transaction_calculations).where(mine))
    for row in found:
        assert shown.moment(row.transaction_date, short=True) in page
        assert shown.number(row.volume_flow_meter) in page
        assert shown.number(row.koreksi_meter) in page
        assert shown.rupiah(row.total_harga) in page
    assert shown.rupiah(sum((row.total_harga for row in found), Decimal(0))) in page
    assert shown.number(sum((row.volume_sm3 for row in found), Decimal(0))) in page
    of_month = sa.and_(deposits.c.customer_id == customer_id, deposits.c.year_month == month)
    for row in query(user, sa.select(deposits).where(of_month)):
        assert shown.moment(row.deposited_at, short=True) in page
        assert shown.rupiah(row.amount) in page


def test_amounts_are_added_up_by_their_names() -> None:
    rows = [
        SimpleNamespace(volume_sm3=Decimal("1.2345"), harga_per_m3=Decimal(9), total_fee=Decimal("0.10")),
        SimpleNamespace(volume_sm3=Decimal("1.0000"), harga_per_m3=Decimal(9), total_fee=None),
    ]
    expected = {"volume_sm3": Decimal("2.2345"), "total_fee": Decimal("0.10")}
    assert column_totals(rows, ["volume_sm3", "harga_per_m3", "total_fee"]) == expected


def test_low_balances_are_listed(viewer: DashboardClient) -> None:
    (total,) = query(viewer, sa.select(sa.func.count()).where(balance_alerts.c.cleared_at.is_(None)))[0]
    assert total
    page = viewer.get("/alerts")
    assert f"of {total}" in visible_text(page)
    assert page.text.count("still low") == min(total, 25)


def test_overview_counts_customers_with_a_low_balance(user: DashboardClient) -> None:
    low = sa.select(sa.func.count(balance_alerts.c.customer_id.distinct())).where(balance_alerts.c.cleared_at.is_(None))
    (count,) = query(user, low)[0]
    expected = CATALOGUE["overview.low_customers"][user.language == "id"].format(count=count)
    assert expected in visible_text(user.get("/"))


def test_rejected_rows_are_filtered_and_paged(viewer: DashboardClient) -> None:
    found = query(viewer, sa.select(rejected_rows.c.asset, sa.func.count()).group_by(rejected_rows.c.asset))
    assert found
    for asset, count in found:
        page = viewer.get("/rejected", params={"asset": asset})
        assert f"of {count}" in visible_text(page)
        assert page.text.count(f"<td><code>{asset}</code></td>") == min(count, 25)
    total = sum(count for _, count in found)
    last = viewer.get("/rejected", params={"page": -(-total // 25)})
    assert f"–{total} of {total}" in visible_text(last)


def reason_options(dashboard: DashboardClient, path: str) -> list[tuple[str, str, int]]:
    """Return the options of the filter by reason: value, text, and number of rows."""
    found = re.findall(r'<option value="([^"]+)"[^>]*>([^<]+) \(([\d.,]+)\)</option>', dashboard.get(path).text)
    return [(unescape(value), text, int(rows)) for value, text, rows in found]


def test_rejected_rows_are_filtered_by_reason(user: DashboardClient) -> None:
    found = reason_options(user, "/rejected")
    assert found
    for value, _, count in found:
        page = user.get("/rejected", params={"reason": value})
        assert {"en": f"of {count}", "id": f"dari {count}"}[user.language] in visible_text(page)
        assert page.text.count(" selected>") == 1
        assert f"<td><code>{value.partition('/')[0]}</code></td>" in page.text


@pytest.fixture
def rejected_by_two_assets(viewer: DashboardClient) -> Iterator[Sequence[str]]:
    """Yield two assets with rows rejected for the same reason; delete the rows afterwards."""
    assets = ("stockbywh", "so_invoice_line")
    row = {"source_id": "same", "raw_row": "{}", "run_id": "same"}
    row |= reason_values(RejectionReason.of(ReasonCode.NO_DATE, columns="a"))
    now = sa.func.now()
    with viewer.warehouse.begin() as connection:
        for asset in assets:
            of_asset = {"asset": asset, "source_table": asset, "first_seen": now, "last_seen": now}
            connection.execute(sa.insert(rejected_rows).values(row | of_asset))
    yield assets
    execute(viewer.warehouse, sa.delete(rejected_rows).where(rejected_rows.c.run_id == "same"))


def test_reason_of_two_tables_is_two_options(user: DashboardClient, rejected_by_two_assets: Sequence[str]) -> None:
    found = reason_options(user, "/rejected")
    assert len({value for value, _, _ in found}) == len({text for _, text, _ in found}) == len(found)
    no_date = {"en": "no date", "id": "tidak ada tanggal"}[user.language]
    assert {text for _, text, _ in found} >= {f"{asset}: {no_date}" for asset in rejected_by_two_assets}
    first, second = rejected_by_two_assets
    chosen = user.get("/rejected", params={"asset": first, "reason": f"{second}/{second}/no date"})
    assert f"<td><code>{first}</code></td>" in chosen.text, "a reason of another asset is ignored"


@pytest.fixture
def failed_sync(viewer: DashboardClient) -> Iterator[int]:
    """Yield the id of a failed sync; delete it afterwards."""
    with viewer.warehouse.begin() as connection:
        log = sync_logs.begin_sync(connection, "manual")
        sync_logs.table_started(connection, log.id, "stockbywh")
        sync_logs.close(connection, log.id, SyncResult("failed", "stockbywh: the ERP <b>was</b> away"))
    yield log.id
    execute(viewer.warehouse, sa.delete(sync_log_tables), sa.delete(logs_table))


def test_sync_is_shown_with_its_tables(user: DashboardClient, failed_sync: int) -> None:
    page = user.get(f"/syncs/{failed_sync}")
    assert {"en": "Failed", "id": "Gagal"}[user.language] in visible_text(page)
    assert "stockbywh: the ERP &lt;b&gt;was&lt;/b&gt; away" in page.text
    history = user.get("/syncs")
    assert f'href="/syncs/{failed_sync}"' in history.text
    assert user.get("/syncs?status=completed").text.count(f'href="/syncs/{failed_sync}"') == 0


@pytest.fixture
def running_sync(viewer: DashboardClient) -> Iterator[int]:
    """Yield the id of the only sync, which is running; delete it afterwards."""
    with viewer.warehouse.begin() as connection:
        log = sync_logs.begin_sync(connection, "manual")
    yield log.id
    execute(viewer.warehouse, sa.delete(logs_table))


def test_durations_are_drawn_once_a_sync_has_ended(user: DashboardClient, running_sync: int) -> None:
    assert "data-chart" not in user.get("/syncs").text
    with user.warehouse.begin() as connection:
        sync_logs.close(connection, running_sync, SyncResult("completed"))
    assert "data-chart" in user.get("/syncs").text


def test_empty_list_of_syncs_says_why(user: DashboardClient, failed_sync: int) -> None:
    language = user.language == "id"
    filtered = visible_text(user.get("/syncs?status=completed"))
    execute(user.warehouse, sa.delete(sync_log_tables), sa.delete(logs_table))
    assert CATALOGUE["sync.none_match"][language] in filtered
    assert CATALOGUE["overview.never_synced"][language] in visible_text(user.get("/syncs"))
    unknown = CATALOGUE["sync.unknown"][language].format(id=failed_sync)
    assert unknown in visible_text(user.get(f"/syncs/{failed_sync}"))


def test_ended_sync_is_not_refreshed(viewer: DashboardClient, failed_sync: int) -> None:
    assert viewer.get(f"/fragments/syncs/{failed_sync}").headers["x-finished"] == "yes"


def test_ended_sync_cannot_be_cancelled(admin: DashboardClient, failed_sync: int) -> None:
    answer = admin.post(f"/syncs/{failed_sync}/cancel", page="/syncs")
    assert answer.status_code == 409
    assert f"Sync {failed_sync} had ended before it could be cancelled." in visible_text(answer)


def test_cancel_ends_no_other_sync(admin: DashboardClient, failed_sync: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between loading and cancelling, the sync on the page ends and another one starts."""
    others: list[int] = []

    def load_sync_and_start_another(context: RequestContext, log_id: int) -> tuple[SyncLog, Sequence[SyncedTable]]:
        log, tables_of_it = load_sync(context, log_id)
        with admin.warehouse.begin() as connection:
            others.append(sync_logs.begin_sync(connection, "scheduled").id)
        return replace(log, status="running"), tables_of_it

    monkeypatch.setattr(syncs_pages, "load_sync", load_sync_and_start_another)
    answer = admin.post(f"/syncs/{failed_sync}/cancel", page="/syncs")
    with admin.warehouse.begin() as connection:
        (running,) = others
        closed = sync_logs.close(connection, running, SyncResult("cancelled", "by the test"))
    assert closed is not None, "the other sync was cancelled"
    assert answer.status_code == 409
    assert f"Sync {running} is running and continues." in visible_text(answer)


def test_unreachable_dagster_is_reported(viewer: DashboardClient) -> None:
    """Nothing listens at Dagster's port here."""
    assert "nothing is recalculated, synced or started" in visible_text(viewer.get("/fragments/dagster"))


def test_actions_are_offered_to_admins_only(viewer: DashboardClient, admin: DashboardClient) -> None:
    for path, button in {"/syncs": "Start now", "/customers/11": "Recalculate now"}.items():
        assert button in visible_text(admin.get(path))
        assert button not in visible_text(viewer.get(path))


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/customers/999999", 404),
        ("/customers/abc", 422),
        (f"/customers/{2**70}", 422),
        ("/customers/11/months/2025-13", 422),
        ("/syncs/999999", 404),
        ("/syncs?page=0", 422),
        ("/?year=abc", 422),
        ("/fragments/runs/abc", 422),
    ],
)
def test_errors_are_pages(viewer: DashboardClient, path: str, status: int) -> None:
    page = viewer.get(path)
    assert page.status_code == status
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "Back to the overview" in visible_text(page)


BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.mark.parametrize(("path", "status"), [("/nothing", 404), ("/customers/11/nothing", 404), ("/logout", 405)])
def test_unknown_path_is_a_page_for_browsers(user: DashboardClient, path: str, status: int) -> None:
    page = user.get(path, headers=BROWSER)
    assert (page.status_code, page.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert ("Allow" in page.headers) == (status == 405)
    assert CATALOGUE["site.page_not_found"][user.language == "id"] in visible_text(page)
    assert f'<html lang="{user.language}">' in page.text
    assert 'href="/customers"' in page.text, "the user is still logged in"


@pytest.mark.parametrize(("path", "headers"), [("/nothing", {}), ("/api/nothing", BROWSER)])
def test_unknown_path_is_json_for_programs(viewer: DashboardClient, path: str, headers: dict[str, str]) -> None:
    answer = viewer.get(path, headers=headers)
    assert (answer.status_code, answer.json().keys()) == (404, {"success", "message", "errors"})


def test_unknown_path_without_login_is_a_page(anonymous: DashboardClient) -> None:
    page = anonymous.get("/nothing", headers=BROWSER)
    assert page.status_code == 404
    assert "There is no page at this address." in visible_text(page)
    assert 'href="/customers"' not in page.text


def test_recalculation_needs_a_known_month(admin: DashboardClient) -> None:
    for month in ("1999-01", "2025-13", ""):
        answer = admin.post("/customers/11/recalculate", {"start_month": month}, page="/customers/11")
        assert answer.status_code == 422


def test_unknown_table_is_not_synced(admin: DashboardClient) -> None:
    answer = admin.post("/syncs", {"tables": "users"}, page="/syncs")
    assert answer.status_code == 422
    assert "there is no table users" in visible_text(answer)


def test_language_is_chosen_and_kept(viewer: DashboardClient) -> None:
    assert '<html lang="en">' in viewer.get("/").text
    assert '<html lang="id">' in viewer.get("/?lang=id&year=2025").text
    page = viewer.get("/customers").text
    assert '<html lang="id">' in page
    assert 'href="/customers?lang=en"' in page
    assert '<html lang="en">' in viewer.get("/customers?lang=en").text
    assert '<html lang="en">' in viewer.get("/customers?lang=xx").text


@pytest.mark.parametrize(
    ("accepted", "language"),
    [("id-ID,id;q=0.9,en;q=0.8", "id"), ("en-GB,id;q=0.5", "en"), ("de", "en"), ("", "en"), (";;q=,", "en")],
)
def test_language_defaults_to_the_browser_s(anonymous: DashboardClient, accepted: str, language: str) -> None:
    anonymous.language = accepted
    assert f'<html lang="{language}">' in anonymous.get("/login").text


@pytest.fixture
def reconciled(admin: DashboardClient) -> Iterator[DashboardClient]:
    """Yield a client of an administrator after both reconciliations; delete their results afterwards."""
    found = (balance_comparison, invoice_reconciliation, customer_business_partners, loaded_months)
    with admin.warehouse.connect() as connection:
        loaded = connection.execute(sa.select(loaded_months)).mappings().all()
    with admin.warehouse.begin() as connection:
        months = admin.api.context.horizon.months
        mark_loaded(connection, erp_tables["so_invoice_line"], months, "test")  # without invoice lines
        compare_balances(connection, "test")
        update_default_partners(connection)
        reconcile_invoices(connection, months, "test")
    yield admin
    with admin.warehouse.begin() as connection:
        for table in found:
            connection.execute(sa.delete(table))
        connection.execute(sa.insert(loaded_months), list(map(dict, loaded)))


def test_comparison_shows_differences(reconciled: DashboardClient) -> None:
    (row, *_) = query(reconciled, sa.select(balance_comparison).where(~balance_comparison.c.matches))
    for language in LANGUAGES:
        reconciled.language = language
        page = visible_text(reconciled.get("/comparison?show=all"))
        for amount in (row.ledger_balance, row.application_balance, row.difference):
            assert FORMATS[language].rupiah(amount) in page
        assert FORMATS[language].month(row.last_month) in page


def test_invoices_show_every_account(reconciled: DashboardClient) -> None:
    newest = query(reconciled, sa.select(sa.func.max(invoice_reconciliation.c.year_month)))[0][0]
    found = query(reconciled, sa.select(invoice_reconciliation).where(invoice_reconciliation.c.year_month == newest))
    assert found
    for language in LANGUAGES:
        reconciled.language = language
        page = visible_text(reconciled.get(f"/invoices?show=all&month={newest}"))
        assert all(FORMATS[language].rupiah(row.difference) in page for row in found[:10])


def test_month_without_reconciliation_is_reported(reconciled: DashboardClient) -> None:
    for language in LANGUAGES:
        reconciled.language = language
        expected = CATALOGUE["reconciliation.no_such_month"][language == "id"].format(asked="1999-01<b>")
        assert expected in visible_text(reconciled.get("/invoices?month=1999-01<b>"))
        for query_string in ("", f"?month={reconciled.api.context.horizon.current}"):
            assert 'role="alert"' not in reconciled.get(f"/invoices{query_string}").text


@pytest.mark.parametrize("path", ["/comparison", "/invoices"])
def test_missing_comparison_is_reported_with_its_schedule(user: DashboardClient, path: str) -> None:
    page = user.get(path)
    assert CATALOGUE["reconciliation.never_compared"][user.language == "id"] in visible_text(page)
    assert CATALOGUE["reconciliation.schedule"][user.language == "id"] in visible_text(page)
    assert CATALOGUE["reconciliation.compare_now"][user.language == "id"] not in visible_text(page), "not for viewers"


def test_time_of_the_comparison_is_shown(reconciled: DashboardClient) -> None:
    marks = sa.select(loaded_months.c.loaded_at).where(loaded_months.c.table_name == "ledger.balance_comparison")
    compared_at = query(reconciled, marks)[0][0]
    assert f"Last compared: {FORMATS['en'].moment(compared_at, short=True)}" in visible_text(
        reconciled.get("/comparison")
    )


@pytest.mark.parametrize(
    ("path", "asset"), [("/comparison", "balance_comparison"), ("/invoices", "invoice_reconciliation")]
)
def test_admin_starts_a_comparison(admin: DashboardClient, path: str, asset: str) -> None:
    horizon = admin.api.context.horizon
    with serve_fake_dagster(admin.api.settings.ui_port) as dagster:
        answer = admin.post(path, page=path)
        assert (answer.status_code, answer.headers["location"]) == (303, f"{path}?run={RUN}")
    page = admin.get(answer.headers["location"])
    assert f'data-fragment="/fragments/reconciliations/{RUN}"' in page.text
    (launched,) = dagster.launched
    assert launched["selector"]["jobName"] == "reconciliation"
    assert launched["selector"]["assetSelection"] == [{"path": [asset]}]
    tags = {tag["key"]: tag["value"] for tag in launched["executionMetadata"]["tags"]}
    months = (horizon.first, horizon.current) if path == "/invoices" else (None, None)
    assert (tags.get(RANGE_START_TAG), tags.get(RANGE_END_TAG)) == months
    entry = newest_audit_entry(admin.warehouse)
    assert (entry.actor, entry.action, entry.outcome) == ("admin", f"POST {path}", "done")


def test_every_page_exists_in_every_language(admin: DashboardClient, failed_sync: int) -> None:
    pages = [
        path.replace("{id}", str(failed_sync) if "syncs" in path else "11").replace("{month}", "2025-01")
        for path in guarded_paths("GET")
        if "{run_id}" not in path
    ]
    assert len(pages) > 10
    for language in LANGUAGES:
        admin.language = language
        texts = {path: admin.get(path) for path in pages}
        assert {path: page.status_code for path, page in texts.items()} == dict.fromkeys(pages, 200)
        whole = [page.text for path, page in texts.items() if not path.startswith("/fragments/")]
        assert all(f'<html lang="{language}">' in text for text in whole)
