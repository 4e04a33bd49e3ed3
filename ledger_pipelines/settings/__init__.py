"""Settings: the only package that reads the environment and `.env`, with clear messages for wrong values.

It holds the names, defaults and rules of the `LEDGER_…` variables. `warehouse/servers.py` derives other values from
them, such as addresses of the embedded server and the environment of a Dagster process.
"""

from ledger_pipelines.settings.addresses import database_url, masked
from ledger_pipelines.settings.home import let_group_pass, make_home
from ledger_pipelines.settings.instance import instance_folder
from ledger_pipelines.settings.model import EARLIEST_FIRST_MONTH, Settings, load_settings
from ledger_pipelines.settings.old_erp import OLD_ERP_VARIABLES
from ledger_pipelines.settings.problems import SettingsError
from ledger_pipelines.settings.variables import PREFIX, project_folder, variable

__all__ = [
    "EARLIEST_FIRST_MONTH",
    "OLD_ERP_VARIABLES",
    "PREFIX",
    "Settings",
    "SettingsError",
    "database_url",
    "instance_folder",
    "let_group_pass",
    "load_settings",
    "make_home",
    "masked",
    "project_folder",
    "variable",
]
