"""Files: data sets that people bring, results that wait to be recorded, exports."""
