// Log lines on standard error, with their level as sd-daemon(3) has it.

import Linux

/// One write(2) a line, so that lines of several threads do not mix.
func logLine(_ level: Int32, _ text: String) {
    for line in text.split(separator: "\n") {
        let bytes = Array("<\(level)>\(line)\n".utf8)
        _ = write(STDERR_FILENO, bytes, bytes.count)
    }
}
