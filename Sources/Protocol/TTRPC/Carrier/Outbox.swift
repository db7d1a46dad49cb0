// Bytes on their way out of a socket that may take them in pieces.

/// Encoded frames that the kernel has not taken yet.
struct Outbox {
    private var bytes: [UInt8] = []
    private var head = 0

    var count: Int { bytes.count - head }

    mutating func append(_ frame: Frame) { frame.encode(into: &bytes) }

    /// The bytes to be sent next.
    func withPending<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        bytes.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[head...])) }
    }

    /// `count` bytes were sent.
    mutating func drop(_ count: Int) {
        head += count
        if head == bytes.count {
            // A connection that carried one long message does not keep room for the next.
            bytes.removeAll(keepingCapacity: bytes.capacity <= 4096)
            head = 0
        } else if head > 1 << 16 && head > bytes.count / 2 {
            bytes.removeFirst(head)
            head = 0
        }
    }

    mutating func removeAll() { self = Outbox() }
}
