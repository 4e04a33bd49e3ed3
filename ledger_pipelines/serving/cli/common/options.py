"""Options that commands of several groups have."""

from typing import Annotated

import typer

CustomerId = Annotated[int, typer.Option("--customer-id", help="Id of the customer.")]
OnlyCustomer = Annotated[int | None, typer.Option("--customer-id", help="Only this customer.")]
AcceptDeletions = Annotated[
    bool, typer.Option("--accept-deletions", help="Accept deletions that the deletion guard would refuse.")
]
