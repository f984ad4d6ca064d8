"""Options of commands, by whose they are; a command takes groups of them."""

from edge_sdk.cli.options.bundle import bundle_options as bundle_options
from edge_sdk.cli.options.data import calibration_options as calibration_options
from edge_sdk.cli.options.data import data_options as data_options
from edge_sdk.cli.options.data import image_options as image_options
from edge_sdk.cli.options.data import pixel_options as pixel_options
from edge_sdk.cli.options.html import html_option as html_option
from edge_sdk.cli.options.recipe import recipe_options as recipe_options
from edge_sdk.cli.options.result import result_options as result_options
from edge_sdk.cli.options.running import call_option as call_option
from edge_sdk.cli.options.running import delegate_option as delegate_option
from edge_sdk.cli.options.running import on_option as on_option
from edge_sdk.cli.options.running import parallel_options as parallel_options
from edge_sdk.cli.options.running import session_options as session_options
from edge_sdk.cli.options.running import signature_option as signature_option
from edge_sdk.cli.options.running import time_limit_option as time_limit_option
from edge_sdk.cli.options.source import lowering_options as lowering_options
from edge_sdk.cli.options.source import shapes_and_dtypes as shapes_and_dtypes
from edge_sdk.cli.options.source import source_options as source_options
from edge_sdk.cli.options.training import moves_options as moves_options
from edge_sdk.cli.options.training import training_options as training_options
