"""Races as data and as text; JSON and findings are made from these. Standard library only."""

from gilscope.race.access import PLACE, Access, CodePlace, Place
from gilscope.race.found import DEFAULT_MAX_VARIABLES, Races
from gilscope.race.race import GRADES, SEVERITIES, TITLES, Race

__all__ = [
    "DEFAULT_MAX_VARIABLES",
    "GRADES",
    "PLACE",
    "SEVERITIES",
    "TITLES",
    "Access",
    "CodePlace",
    "Place",
    "Race",
    "Races",
]
