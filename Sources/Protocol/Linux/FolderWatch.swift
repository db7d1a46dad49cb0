// Tells when something in a folder changed, also when the folder itself is replaced or not there yet.

import Synchronization

/// Watches one folder with inotify(7): files written, moved in or out, removed; the folder moved, or swapped by a symbolic link.
///
/// It says only *that* something changed: whoever reads looks at the folder afresh, so nothing is lost when changes are
/// many. It looks again by itself now and then, for file systems that inotify is silent about (NFS).
public final class FolderWatch: Sendable {
    /// One element after each burst of changes; ends with `stop()`, or when the task that iterates is cancelled. For one reader.
    public let changes: AsyncStream<Void>
    private let end: End

    /// How a watch waits, in milliseconds.
    public struct Timing: Sendable {
        /// How long a burst must have been over: editors and `cp` make several changes at once.
        public var settling: Int32
        /// A burst that does not end is reported this long after its beginning.
        public var longestBurst: Int32
        public var lookAgain: Int32

        public init(settling: Int32 = 50, longestBurst: Int32 = 1000, lookAgain: Int32 = 10_000) {
            self.settling = settling
            self.longestBurst = longestBurst
            self.lookAgain = lookAgain
        }
    }

    /// Starts to watch; `path` need not exist yet, and neither need its parent.
    /// - Throws: `SystemCallError` with EMFILE when a limit is reached (inotify(7), `max_user_instances`).
    public init(_ path: String, timing: Timing = Timing()) throws(SystemCallError) {
        let inotify = Descriptor(owning: try syscall("inotify_init1", path) { inotify_init1(Int32(IN_NONBLOCK | IN_CLOEXEC)) })
        let end = End(try syscall("eventfd", path) { eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC)) })
        let (changes, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let watched = WatchedFolder(path: path, inotify: inotify)
        // Now, not when the thread gets to it: what changes after this call returns is reported.
        watched.renew()
        continuation.onTermination = { _ in end.signal() }
        let thread = try SerialThread(name: "folder-watch")
        thread.run {
            watched.run(until: end, timing: timing) { continuation.yield() }
            continuation.finish()
        }
        thread.stop()
        self.end = end
        self.changes = changes
    }

    deinit { end.signal() }

    /// Ends `changes`.
    public func stop() { end.signal() }

    /// What wakes the thread for the last time. Shared, so that its descriptor outlives both sides.
    fileprivate final class End: Sendable {
        let event: Descriptor

        init(_ raw: Int32) { event = Descriptor(owning: raw) }

        // Fails only when it has been called 2^64-2 times already.
        func signal() { _ = eventfd_write(event.raw, 1) }
    }
}

/// The thread's side of a watch.
private final class WatchedFolder: Sendable {
    private let path: String
    private let inotify: Descriptor
    private let above = Mutex(Above(watch: -1, name: ""))

    /// The nearest folder above that exists, and the one name in it that leads to the watched folder.
    private struct Above: Equatable {
        var watch: Int32
        var name: String
    }

    init(path: String, inotify: consuming Descriptor) {
        self.path = path
        self.inotify = inotify
    }

    /// Watches what `path` names now, and the nearest folder above. Watching a folder twice is watching it once
    /// (inotify_add_watch(2)), so this may be called at any time.
    func renew() {
        var found = add()
        // A folder made after it was looked for, and before the one above it was watched, is found by looking again.
        for _ in 0..<8 {
            let again = add()
            if again == found { break }
            found = again
        }
        above.withLock { $0 = found }
    }

    private func add() -> Above {
        let inside = IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF
        _ = inotify_add_watch(inotify.raw, path, UInt32(inside) | UInt32(IN_ONLYDIR))
        let names = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO
        var parts = path.split(separator: "/")
        while let name = parts.popLast() {
            let parent = (path.hasPrefix("/") ? "/" : "./") + parts.joined(separator: "/")
            let watch = inotify_add_watch(inotify.raw, parent, UInt32(names) | UInt32(IN_ONLYDIR))
            if watch >= 0 { return Above(watch: watch, name: String(name)) }
        }
        return Above(watch: -1, name: "")
    }

    func run(until end: FolderWatch.End, timing: FolderWatch.Timing, changed: () -> Void) {
        var burst: UInt64?
        while true {
            var waiting = [
                pollfd(fd: inotify.raw, events: Int16(POLLIN), revents: 0), pollfd(fd: end.event.raw, events: Int16(POLLIN), revents: 0),
            ]
            let ready = poll(&waiting, 2, burst == nil ? timing.lookAgain : timing.settling)
            if waiting[1].revents != 0 { return }
            let now = clinux_monotonic() / 1_000_000
            if ready > 0, drain(), burst == nil { burst = now }
            if ready == 0 || burst.map({ now - $0 > UInt64(timing.longestBurst) }) == true {
                burst = nil
                renew()
                changed()
            }
        }
    }

    /// Reads all events.
    /// - Returns: Whether one of them was about the folder, and not about its neighbours.
    private func drain() -> Bool {
        let above = above.withLock { $0 }
        var relevant = false
        // An event has at most 16 + NAME_MAX + 1 bytes; inotify(7) wants room for one at least.
        withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 8) { buffer in
            while true {
                let count = read(inotify.raw, buffer.baseAddress, buffer.count)
                if count <= 0 { return }
                var offset = 0
                while offset + 16 <= count {
                    let watch = buffer.load(fromByteOffset: offset, as: Int32.self)
                    let length = Int(buffer.load(fromByteOffset: offset + 12, as: UInt32.self))
                    guard offset + 16 + length <= count else { break }
                    let text = buffer[(offset + 16)..<(offset + 16 + length)].prefix { $0 != 0 }
                    if watch != above.watch || text.elementsEqual(above.name.utf8) { relevant = true }
                    offset += 16 + length
                }
            }
        }
        return relevant
    }
}
