// The words and the JSON of flow records, the same in the log file and in the command's output.
