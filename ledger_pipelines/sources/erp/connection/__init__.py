"""Connections to the ERP's server: drivers, engine, session, errors."""
