// What a plugin's process writes to descriptors 1 and 2, as log lines.

import CSallyportPlugin

/// Cuts bytes into lines, of which it keeps 8 KiB; reads the level from `<N>` as sd-daemon(3) has it.
struct LogLines {
    private var line: [UInt8] = []

    /// Takes bytes as they come and hands each line that is complete to `body`.
    mutating func take(_ bytes: some Sequence<UInt8>, _ body: (Int32, String) -> Void) {
        for byte in bytes {
            if byte == UInt8(ascii: "\n") {
                end(body)
            } else if line.count < longestLogLine {
                line.append(byte)
            }
        }
    }

    /// No more bytes come: a line that was begun counts as well.
    mutating func end(_ body: (Int32, String) -> Void) {
        defer { line.removeAll(keepingCapacity: true) }
        guard !line.isEmpty else { return }
        if line.count >= 3, line[0] == UInt8(ascii: "<"), line[2] == UInt8(ascii: ">"), (0x30...0x37).contains(line[1]) {
            body(Int32(line[1]) - 0x30, String(decoding: line.dropFirst(3), as: UTF8.self))
        } else {
            body(SALLYPORT_LOG_NOTICE, String(decoding: line, as: UTF8.self))
        }
    }
}
