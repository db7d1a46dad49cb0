// Names of application protocols in memory that libraries may keep a pointer to.

internal import Synchronization

/// Length-prefixed protocol names that are never freed: a library's callback may come at any time.
/// There are as many as the program has protocols, not as it has connections.
final class ApplicationProtocols: Sendable {
    static let shared = ApplicationProtocols()
    private let known = Mutex<[[UInt8]: UInt]>([:])

    func pointer(for list: [UInt8]) -> UnsafePointer<UInt8> {
        let address = known.withLock { known in
            if let address = known[list] { return address }
            let memory = UnsafeMutablePointer<UInt8>.allocate(capacity: list.count)
            memory.initialize(from: list, count: list.count)
            known[list] = UInt(bitPattern: memory)
            return UInt(bitPattern: memory)
        }
        // Never zero: it is the address of an allocation.
        return UnsafePointer(bitPattern: address).unsafelyUnwrapped
    }
}
