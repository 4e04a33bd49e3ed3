"""How the warehouse's schema came to be, one Alembic revision a change."""
