"""Property tests draw the same examples each run, few for `make check`; `make soak` draws a thousand new ones."""

import os

from hypothesis import settings

settings.register_profile("steady", derandomize=True, deadline=None)
settings.register_profile("brief", derandomize=True, deadline=None, max_examples=10)
settings.register_profile("soak", derandomize=False, deadline=None, max_examples=1_000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))
