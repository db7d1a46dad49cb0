// Files that are to be executed.
//
// Nothing is executed while anybody has it open for writing (ETXTBSY, execve(2)). What a test writes itself is also open in the
// children that other tests start meanwhile, until these execute their own programs. So a program of its own writes.

/// Copies a program, with its permissions.
public func copyProgram(at source: String, to path: String) throws {
    try NetworkProgram.check("cp", ["--preserve=mode", source, path], in: nil)
}

/// Writes a script, or whatever else has this mode.
func writeProgram(_ text: String, to path: String, mode: UInt32) throws {
    try NetworkProgram.check("install", ["--mode", String(mode, radix: 8), "/dev/stdin", path], in: nil, input: text)
}
