"""Why do they fail? Outcomes, rates, tests, suspects, findings, experiments, alerts."""
