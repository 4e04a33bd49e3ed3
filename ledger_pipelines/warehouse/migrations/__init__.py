"""Migrations of the warehouse's schema: one Alembic revision per change."""
