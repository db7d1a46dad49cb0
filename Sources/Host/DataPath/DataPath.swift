// DataPath
