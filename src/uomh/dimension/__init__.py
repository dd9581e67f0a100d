"""Intrinsic dimension: estimators, their intervals and calibration, and what groups show."""
