// Writing to the standard streams, at once and whole.

import Linux

/// - Throws: `Failure`, say if the disk is full. A reader that has gone ends the command by SIGPIPE, as in any pipe.
func write(_ text: String) throws {
    do {
        try write(text, to: STDOUT_FILENO)
    } catch {
        if error.errno == EPIPE { endByBrokenPipe() }
        throw Failure("cannot write the output: \(error)")
    }
}

/// Writes a line to standard error.
func warn(_ message: String) {
    // Nobody can be told when even that cannot be written.
    try? write("sallyport: \(printable(message))\n", to: STDERR_FILENO)
}

/// Whoever started the command may have had SIGPIPE blocked or ignored, and a program inherits that (signal(7)).
private func endByBrokenPipe() -> Never {
    signal(SIGPIPE, SIG_DFL)
    var pipe = sigset_t()
    sigemptyset(&pipe)
    sigaddset(&pipe, SIGPIPE)
    pthread_sigmask(SIG_UNBLOCK, &pipe, nil)
    raise(SIGPIPE)
    exit(128 + SIGPIPE)
}

private func write(_ text: String, to descriptor: Int32) throws(SystemCallError) {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
        let count = try syscall("write") { rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) } }
        rest = rest.dropFirst(count)
    }
}
