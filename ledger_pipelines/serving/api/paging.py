"""Pages of a list, as every list of the API has them."""

from ledger_pipelines.serving.api.answers import Pagination

PER_PAGE = 10
"""How many items a page has unless somebody asks for more or fewer."""


def pagination_of(number: int, per_page: int, total: int, here: int) -> Pagination:
    """Which page this is; one after the last has no items.

    Args:
        number: Of the page, from 1.
        per_page: How many items a full page has.
        total: How many items there are on all pages.
        here: How many are on this one.
    """
    before = (number - 1) * per_page
    return Pagination(
        current_page=number,
        last_page=max(1, -(-total // per_page)),
        per_page=per_page,
        total=total,
        **{"from": before + 1 if here else None, "to": before + here if here else None},
    )
