"""The page Datasets: plans, how far they are, frozen versions."""
