//! Programs that are run for others: bounded in time, and ended with all that they started.
