// inotify(7) on every directory that the policy depends on.

import Linux

/// Watches the policy directory, and for each symbolic link on the way to its files the directory that holds it.
package struct DirectoryWatches: ~Copyable {
    /// What happened since the last look.
    package struct Activity {
        /// Something happened that can change the policy.
        package var isRelevant = false
        /// Events were lost.
        package var isIncomplete = false
    }

    private struct Watch {
        /// All policy files of the directory matter, and what happens to itself.
        var isWhole = false
        /// These entries matter.
        var names: Set<String> = []
    }

    private static let appearing = UInt32(IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF)
    private static let changing = UInt32(IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB)

    private let inotify: Descriptor
    private var watches: [Int32: Watch] = [:]
    /// Files that were changed and whose writer has not closed them yet.
    private var written: Set<Place> = []
    private var paths: [Int32: String] = [:]

    var descriptor: Int32 { inotify.raw }
    var isBeingWritten: Bool { !written.isEmpty }

    package init() throws(SystemCallError) {
        inotify = Descriptor(owning: try syscall("inotify_init1") { inotify_init1(Int32(IN_NONBLOCK) | Int32(IN_CLOEXEC)) })
    }

    /// Watches what `directory` and its `links` depend on now, and nothing else.
    /// - Returns: Whether anything is watched that was not before: then what was read before may be stale.
    /// - Throws: ENOSPC when the user's watches are used up. What cannot be watched since it is not there, or
    ///   must not be read, is left out: the directory above tells when it comes.
    package mutating func follow(_ directory: String, links: [String]) throws(SystemCallError) -> Bool {
        var wanted: [String: Watch] = [:]
        let places = entries(onTheWayTo: directory) + links.flatMap { entries(onTheWayTo: "\(directory)/\($0)") }
        for place in places { wanted[place.directory, default: Watch()].names.insert(place.name) }
        wanted[directory, default: Watch()].isWhole = true
        var next: [Int32: Watch] = [:]
        var isNew = false
        for (path, watch) in wanted {
            // Two paths may lead to one directory, and so to one watch.
            let mask = DirectoryWatches.appearing | DirectoryWatches.changing | UInt32(IN_ONLYDIR) | UInt32(IN_MASK_ADD)
            let number = inotify_add_watch(inotify.raw, path, mask)
            guard number >= 0 else {
                let code = clinux_errno()
                if code == ENOSPC || code == ENOMEM { throw SystemCallError(call: "inotify_add_watch", errno: code, subject: path) }
                continue
            }
            next[number, default: Watch()].isWhole = next[number]?.isWhole == true || watch.isWhole
            next[number]?.names.formUnion(watch.names)
            paths[number] = path
            if watches[number] == nil { isNew = true }
        }
        for number in watches.keys where next[number] == nil {
            inotify_rm_watch(inotify.raw, number)
            paths[number] = nil
        }
        watches = next
        return isNew
    }

    /// Reads all events that are there.
    package mutating func look() throws(SystemCallError) -> Activity {
        var activity = Activity()
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = buffer.withUnsafeMutableBytes { read(inotify.raw, $0.baseAddress, $0.count) }
            if count < 0 {
                switch clinux_errno() {
                case EINTR: continue
                case EAGAIN: return activity
                case let code: throw SystemCallError(call: "read", errno: code, subject: "inotify")
                }
            }
            for event in InotifyEvent.parse(buffer[..<count]) { note(event, &activity) }
        }
    }

    private mutating func note(_ event: InotifyEvent, _ activity: inout Activity) {
        if event.mask & UInt32(IN_Q_OVERFLOW) != 0 {
            written = []
            activity = Activity(isRelevant: true, isIncomplete: true)
            return
        }
        guard let watch = watches[event.watch] else { return }
        if event.mask & UInt32(IN_IGNORED) != 0 {
            watches[event.watch] = nil
            paths[event.watch] = nil
            activity.isRelevant = true
            return
        }
        let isOfItself = event.name.isEmpty
        guard isOfItself || watch.names.contains(event.name) || watch.isWhole && isPolicyFileName(event.name) else { return }
        activity.isRelevant = true
        if isOfItself || event.mask & UInt32(IN_ISDIR) != 0 { return }
        let file = Place(directory: paths[event.watch] ?? "", name: event.name)
        if event.mask & UInt32(IN_MODIFY) != 0 { written.insert(file) }
        if event.mask & UInt32(IN_CLOSE_WRITE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO) != 0 { written.remove(file) }
    }

    /// Gives up on writers that never close what they write.
    mutating func forgetWriters() { written = [] }
}

/// One event; inotify(7).
struct InotifyEvent: Equatable {
    let watch: Int32
    let mask: UInt32
    /// Empty for an event of the watched directory itself.
    let name: String

    /// struct inotify_event: wd, mask, cookie and len of 4 bytes each, then len bytes of name with NULs at the end.
    static func parse(_ bytes: some Collection<UInt8>) -> [InotifyEvent] {
        var events: [InotifyEvent] = []
        var rest = Array(bytes)[...]
        func number(_ offset: Int) -> UInt32 {
            rest.dropFirst(offset).prefix(4).reversed().reduce(0) { $0 << 8 | UInt32($1) }
        }
        while rest.count >= 16 {
            let length = Int(UInt32(littleEndian: number(12)))
            events.append(
                InotifyEvent(
                    watch: Int32(bitPattern: number(0)), mask: number(4),
                    name: String(decoding: rest.dropFirst(16).prefix(length).prefix { $0 != 0 }, as: UTF8.self)))
            rest = rest.dropFirst(16 + length)
        }
        return events
    }
}
