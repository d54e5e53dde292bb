"""Packages that are missing, or do not load."""

from __future__ import annotations

import importlib.metadata

from pipeline import doctor
from pipeline.doctor import installation


def test_a_missing_package_is_named_with_its_remedy(monkeypatch):
    version = importlib.metadata.version

    def lacking(package):
        if package in ("av", "torch"):
            raise importlib.metadata.PackageNotFoundError(package)
        return version(package)

    monkeypatch.setattr(importlib.metadata, "version", lacking)
    (missing,) = (finding for finding in doctor.packages() if not finding.there)
    assert str(missing) == "missing: package av - make install, or pip install storystream"
    assert missing.needed
    extras = {finding.what: finding for finding in doctor.extras()}
    models = next(finding for what, finding in extras.items() if what.startswith("extra models"))
    assert str(models) == (
        "missing: extra models, for models of a folder or hub (transformers:...), quality.clip: "
        "torch - pip install 'storystream[models]'"
    )
    assert not models.needed


def test_a_package_that_does_not_load_says_why(monkeypatch):
    monkeypatch.setattr(installation, "_fault", lambda module: "no libGL" * (module == "cv2"))
    (missing,) = (finding for finding in doctor.packages() if not finding.there)
    assert "opencv-python-headless, which does not load: no libGL - reinstall it" in str(missing)
