"""Tuning models on what runs and people made."""
