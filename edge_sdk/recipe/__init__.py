"""Recipes: what precision a file is made in, and how it is trained before. Built-in ones: ``converters/recipes``."""

from edge_sdk.recipe.reading import CalibrationMethod as CalibrationMethod
from edge_sdk.recipe.reading import Forms as Forms
from edge_sdk.recipe.reading import Granularity as Granularity
from edge_sdk.recipe.reading import Int16 as Int16
from edge_sdk.recipe.reading import IoType as IoType
from edge_sdk.recipe.reading import KeepFloat as KeepFloat
from edge_sdk.recipe.reading import Recipe as Recipe
from edge_sdk.recipe.reading import Weights as Weights
from edge_sdk.recipe.reading import change_recipe as change_recipe
from edge_sdk.recipe.reading import check_recipe as check_recipe
from edge_sdk.recipe.reading import exactly as exactly
from edge_sdk.recipe.reading import find_recipe as find_recipe
from edge_sdk.recipe.reading import parse_recipe as parse_recipe
from edge_sdk.recipe.reading import recipe_from_json as recipe_from_json
from edge_sdk.recipe.reading import recipe_names as recipe_names
