"""Explained errors: shown as one message that says what is wrong and what to do. All others are bugs."""

from ledger_pipelines.analytics.role import AnalystError
from ledger_pipelines.demo.plan import SeedRefusedError
from ledger_pipelines.embedded_postgres.server import EmbeddedServerError
from ledger_pipelines.horizon import MonthError
from ledger_pipelines.ledger.reconciliation.partners import PartnerError
from ledger_pipelines.loading.guard import DeletionRefusedError
from ledger_pipelines.settings import SettingsError
from ledger_pipelines.sources.errors import SourceError
from ledger_pipelines.warehouse.ops.loaded_months import InputNotLoadedError
from ledger_pipelines.warehouse.schema import WarehouseError


class ServingError(Exception):
    """Failure of a command or request; the message says why and what to do."""


EXPLAINED_ERRORS = (
    AnalystError,
    DeletionRefusedError,
    EmbeddedServerError,
    MonthError,
    InputNotLoadedError,
    PartnerError,
    SeedRefusedError,
    ServingError,
    SettingsError,
    SourceError,
    WarehouseError,
)
