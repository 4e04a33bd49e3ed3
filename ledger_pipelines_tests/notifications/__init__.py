"""Tests of what the warehouse tells the world."""
