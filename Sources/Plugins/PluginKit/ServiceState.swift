// What a watcher of services' data knows, and what it must hear to know more.

import SallyportProtocol
import SwiftProtobuf

/// An event of a watch that tells of services one by one.
public protocol ServicesEvent: Message {
    associatedtype Content: ServiceContent
    var changed: [Content] { get set }
    /// Set on the last message that brings what was there when the watch began.
    var complete: Bool { get set }
}

/// What such an event tells of one service.
public protocol ServiceContent: Message {
    var service: Sallyport_Policy_V1_ObjectKey { get }
}

extension Sallyport_Plugin_V1_FrontendsEvent: ServicesEvent {}
extension Sallyport_Plugin_V1_Frontends: ServiceContent {}
extension Sallyport_Plugin_V1_CertificatesEvent: ServicesEvent {}
extension Sallyport_Plugin_V1_PublicCertificate: ServiceContent {}

/// The newest content of each service. A value; put it into a `Latest` for watches to follow.
public struct ServiceState<Event: ServicesEvent>: Sendable {
    private struct Entry: Sendable {
        /// The revision of the state in which it was set. A service that is set anew has a new one, even with the
        /// same content: the host has forgotten that.
        let revision: UInt64
        let content: Event.Content
    }

    private var entries: [Sallyport_Policy_V1_ObjectKey: Entry] = [:]
    /// Rises with each change.
    public private(set) var revision: UInt64 = 0

    public init() {}

    public subscript(service: Sallyport_Policy_V1_ObjectKey) -> Event.Content? { entries[service]?.content }

    public var services: some Collection<Sallyport_Policy_V1_ObjectKey> { entries.keys }

    public mutating func set(_ content: Event.Content) {
        revision += 1
        entries[content.service] = Entry(revision: revision, content: content)
    }

    public mutating func remove(_ service: Sallyport_Policy_V1_ObjectKey) {
        if entries.removeValue(forKey: service) != nil { revision += 1 }
    }

    /// Half of the limit of a message.
    private static var eventBytes: Int { 2 << 20 }

    /// The events that turn `earlier` into this state. Services that are gone need none: the host took them away.
    public func events(since earlier: ServiceState, isFirst: Bool) -> [Event] {
        var events: [Event] = []
        var event = Event()
        var bytes = 0
        for entry in entries.values where entry.revision > earlier.revision {
            let size = ((try? entry.content.serializedBytes() as [UInt8])?.count ?? 0) + 8
            if bytes + size > Self.eventBytes, !event.changed.isEmpty {
                events.append(event)
                event = Event()
                bytes = 0
            }
            bytes += size
            event.changed.append(entry.content)
        }
        if !event.changed.isEmpty || isFirst { events.append(event) }
        if isFirst, let last = events.indices.last { events[last].complete = true }
        return events
    }
}

extension Latest {
    /// Sends all there is, then each change, until the watch is cancelled.
    public func send<Event>(to sender: MessageSender<Event>) async throws where Value == ServiceState<Event> {
        var version: UInt64 = 0
        var sent = Value()
        while true {
            let next = try await next(after: version)
            for event in next.value.events(since: sent, isFirst: version == 0) { try await sender.send(event) }
            (version, sent) = next
        }
    }
}
