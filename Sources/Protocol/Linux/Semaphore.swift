// A counting semaphore, for threads that may block.

/// A counting semaphore (sem_overview(7)), which starts at 0.
public final class Semaphore: @unchecked Sendable {  // safe: the pointer never changes, and what it points to is made for several threads
    private let raw: UnsafeMutablePointer<sem_t>

    public init() {
        raw = .allocate(capacity: 1)
        sem_init(raw, 0, 0)
    }

    deinit {
        sem_destroy(raw)
        raw.deallocate()
    }

    public func post() { sem_post(raw) }

    /// Blocks the thread until `post` was called once more than `wait` returned.
    public func wait() {
        while sem_wait(raw) != 0 {}  // EINTR alone can fail it
    }
}
