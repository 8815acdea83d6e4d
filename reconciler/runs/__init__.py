"""What schedules and records of runs say together: slots, late and missing runs, statistics, forecasts. Pure."""
