"""Figures as ratios against yardsticks that are taken in the same run: ``make bench``."""
