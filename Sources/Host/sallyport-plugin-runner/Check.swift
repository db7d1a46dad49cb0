import Linux

func runCheck(_ arguments: [String]) async -> Int32 { EX_USAGE }
