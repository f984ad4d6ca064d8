"""Running models: sessions on a device, runners on a workstation, and the engines and delegates under both."""

from edge_sdk.runtime.candidates import Candidate
from edge_sdk.runtime.engines import ENGINES, Engine, find_engine
from edge_sdk.runtime.load import Deadline
from edge_sdk.runtime.memory import MemoryBudget
from edge_sdk.runtime.policy import Policy
from edge_sdk.runtime.receipt import Receipt
from edge_sdk.runtime.runner import Runner
from edge_sdk.runtime.session import Session, Views

__all__ = [
    "ENGINES",
    "Candidate",
    "Deadline",
    "Engine",
    "MemoryBudget",
    "Policy",
    "Receipt",
    "Runner",
    "Session",
    "Views",
    "find_engine",
]
