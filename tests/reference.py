"""The slow, obvious version of everything the core does; Hypothesis holds the two together.

Nothing here is fast and nothing here shares code with the core. Where the two differ, one is wrong.
"""

from __future__ import annotations

# --- parsing -------------------------------------------------------------------------------------

# --- entity join ---------------------------------------------------------------------------------

# --- sampling ------------------------------------------------------------------------------------

# --- ranking -------------------------------------------------------------------------------------

# --- search --------------------------------------------------------------------------------------
