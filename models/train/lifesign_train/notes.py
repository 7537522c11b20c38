"""The hand-written parts of the cards: what was not reached, how long was trained, what fails."""

DETECTOR_FIRST = "(not yet written)"
DETECTOR_STEPS = ""
DETECTOR_FAILURES = "(not yet written)"
LIVENESS_FIRST = "(not yet written)"
LIVENESS_STEPS = ""
LIVENESS_FAILURES = "(not yet written)"
