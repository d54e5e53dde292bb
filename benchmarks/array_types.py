"""Types of the arrays that benchmarks pass around."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Pictures = NDArray[np.uint8]  # RGB, [n, height, width, 3]
Floats = NDArray[np.floating]
Flags = NDArray[np.bool_]
