"""`ledger up`"""


def up() -> None:
    """X"""
