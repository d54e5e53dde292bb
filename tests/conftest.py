"""One thread for every test's arithmetic, and for the processes that tests start.

The networks here are tiny: a second thread gains nothing, and where the cores are also wanted by
others the threads wait for each other; CI has stood still in a test of several threads.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"
