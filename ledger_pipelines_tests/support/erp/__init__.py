"""Servers and sources that stand in for the ERP."""
