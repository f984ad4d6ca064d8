"""What the line calibrates on and compares with: the user's data or seeded values, pixels as the model wants them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from edge_sdk.artifact.indices import free_integers, index_bounds
from edge_sdk.artifact.model import Artifact
from edge_sdk.artifact.summary import summarize
from edge_sdk.converters.options import Settings
from edge_sdk.converters.pixels import feed_pixels
from edge_sdk.data import SampleStore, check_samples, open_data, seeded_samples, spool
from edge_sdk.data.checks import DataFacts, SampleCheck, differing_sets
from edge_sdk.data.opening import Data, DataSource
from edge_sdk.findings import Finding
from edge_sdk.progress import Progress
from edge_sdk.signature import TensorSpec

# From so many calibration samples on, a share of them is kept for the comparison, which then is not in-sample.
_SPLIT_FROM, _HELD_OUT = 100, 0.2
# Samples to compare on. Of seeded ones a float file needs fewer: an op that is wrong is wrong on each, by far more than
# rounding. ViT-B at 224x224, 17.6 GMACs a sample, would be run for three times as long as it takes to export.
SAMPLES = 32
_FEWEST, _MACS = 4, 32 * 10**9


class Samples:
    """The samples of one source, in files.

    Args:
        specs: the source's inputs.
        folder: where samples are kept.
        settings: what the user asked for.
        stage: names what takes time.
        progress: hears of each sample that was read.
        float_only: no file is made that rounds: dear models are compared on fewer seeded samples.
    """

    def __init__(
        self,
        specs: Sequence[TensorSpec],
        folder: Path,
        settings: Settings,
        stage: Callable[[str], AbstractContextManager[object]],
        progress: Progress,
        *,
        float_only: bool = False,
    ) -> None:
        self._specs = specs
        self._folder = folder
        self._settings = settings
        self._stage = stage
        self._progress = progress
        self._float_only = float_only
        self._checked: SampleCheck | None = None
        self.images = settings.images
        self.calibration: SampleStore | None = None
        self.calibration_facts: DataFacts | None = None
        self._open()

    def calibrate(self, data: Data) -> None:
        """Observes ranges on other data than the settings name; what is compared stays."""
        self._settings = replace(self._settings, calibration=data)
        self._open_calibration()

    def for_comparison(self, artifact: Artifact) -> tuple[SampleStore, DataFacts, list[Finding]]:
        """Spools the comparison data; seeded ids stay inside the tables that the first candidate shows."""
        settings = self._settings
        read = (settings.calibration, settings.data)
        fed = feed_pixels([artifact], self._specs, self.images, read)
        if fed.images != self.images:
            self.images = fed.images
            self._open()
        findings, pixels = list(fed.findings), fed.unscaled
        source = self._comparison or self._seeded(artifact)
        folder = self._folder / "comparison"
        store, check = spool(source, self._specs, folder, limit=settings.samples or SAMPLES, seed=settings.seed)
        if self._checked:
            findings += check_samples(self._checked, purpose="calibration", pixels=pixels)
            findings += differing_sets(self._checked.facts, check.facts)
        findings += check_samples(check, purpose="comparison", pixels=pixels)
        return store, check.facts, findings

    def _seeded(self, artifact: Artifact) -> DataSource:
        seed, count, why = self._settings.seed, self._settings.samples or SAMPLES, ""
        if self._float_only and self._settings.samples is None:
            each = summarize(artifact).total_macs
            count = max(_FEWEST, self._settings.keep_samples, min(SAMPLES, _MACS // max(1, each)))
            why = f"; not {SAMPLES}, for each takes {each / 1e9:.1f} GMACs" if count < SAMPLES else ""
        return DataSource(
            f"seeded data (seed {seed}{why})",
            count,
            lambda: seeded_samples(
                self._specs,
                count=count,
                seed=seed,
                index_bounds=index_bounds(artifact),
                free=free_integers(artifact),
            ),
            drawn=True,
        )

    def _open(self) -> None:
        self._open_calibration()
        self._comparison = self._open_comparison()

    def _open_calibration(self) -> None:
        settings = self._settings
        if settings.calibration is None:
            return
        with self._stage("read calibration data"):
            opened = open_data(settings.calibration, self._specs, images=self.images)
            total = settings.calibration_samples or opened.count
            store, check = spool(
                opened,
                self._specs,
                self._folder / "calibration",
                limit=settings.calibration_samples,
                seed=settings.seed,
                progress=lambda done: self._progress.count(done, total),
            )
        # Here for what it refuses: its findings wait until the graph has told how it wants pixels.
        check_samples(check, purpose="calibration")
        self._checked = check
        if settings.data is None and store.count >= _SPLIT_FROM:
            store = store.hold_out(_HELD_OUT, settings.samples or SAMPLES, settings.seed)
        self.calibration = store
        self.calibration_facts = replace(check.facts, count=store.count - len(store.held_out))

    def _open_comparison(self) -> DataSource | None:
        """The user's data, else the calibration data; None for seeded data, which waits for the graph."""
        if self._settings.data is not None:
            return open_data(self._settings.data, self._specs, images=self.images)
        if (store := self.calibration) is not None:
            if store.held_out:
                words = f"the calibration data's, held out of {store.count}"
                return DataSource(words, len(store.held_out), store.others, store.classes_of_others())
            words = f"calibration data ({store.count} samples, in-sample)"
            return DataSource(words, store.count, lambda: iter(store), store.classes)
        return None
