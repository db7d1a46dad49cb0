// What a watcher knows, and what it must hear to know more.

import PluginKit
import SallyportProtocol

package struct FrontendState: Sendable {
    package struct Entry: Sendable {
        /// The revision of the state in which it was set. A service that is set anew has a new one, even with the
        /// same frontends: the host has forgotten those.
        fileprivate let revision: UInt64
        package let message: Sallyport_Plugin_V1_Frontends
    }

    package private(set) var frontends: [Sallyport_Policy_V1_ObjectKey: Entry] = [:]
    /// Rises with each change.
    package private(set) var revision: UInt64 = 0

    package init() {}

    mutating func set(_ message: Sallyport_Plugin_V1_Frontends) {
        revision += 1
        frontends[message.service] = Entry(revision: revision, message: message)
    }

    mutating func remove(_ service: Sallyport_Policy_V1_ObjectKey) {
        if frontends.removeValue(forKey: service) != nil { revision += 1 }
    }

    /// Half of the limit of a message.
    private static let eventBytes = 2 << 20

    /// The events that turn `earlier` into this state. Services that are gone need none: the host took them away.
    package func events(since earlier: FrontendState, isFirst: Bool) -> [FrontendsEvent] {
        var events: [FrontendsEvent] = []
        var event = FrontendsEvent()
        var bytes = 0
        for entry in frontends.values where entry.revision > earlier.revision {
            let size = ((try? entry.message.serializedBytes() as [UInt8])?.count ?? 0) + 8
            if bytes + size > FrontendState.eventBytes, !event.changed.isEmpty {
                events.append(event)
                event = FrontendsEvent()
                bytes = 0
            }
            bytes += size
            event.changed.append(entry.message)
        }
        if !event.changed.isEmpty || isFirst { events.append(event) }
        if isFirst, let last = events.indices.last { events[last].complete = true }
        return events
    }
}
