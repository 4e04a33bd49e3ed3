"""Settings: the only package that reads the environment and `.env`, with clear messages for wrong values.

It holds the names, defaults and rules of the `LEDGER_…` variables. `warehouse/database_urls.py` derives other values
from them, such as addresses of the embedded server and the environment of a Dagster process.
"""

from ledger_pipelines.settings.addresses import mask_url, parse_database_url
from ledger_pipelines.settings.home import allow_group_traversal, ensure_home
from ledger_pipelines.settings.instance import instance_folder
from ledger_pipelines.settings.model import EARLIEST_FIRST_MONTH, Settings, load_settings
from ledger_pipelines.settings.old_erp import OLD_ERP_VARIABLES
from ledger_pipelines.settings.problems import SettingsError
from ledger_pipelines.settings.variables import PREFIX, project_folder, variable_name

__all__ = [
    "EARLIEST_FIRST_MONTH",
    "OLD_ERP_VARIABLES",
    "PREFIX",
    "Settings",
    "SettingsError",
    "allow_group_traversal",
    "ensure_home",
    "instance_folder",
    "load_settings",
    "mask_url",
    "parse_database_url",
    "project_folder",
    "variable_name",
]
