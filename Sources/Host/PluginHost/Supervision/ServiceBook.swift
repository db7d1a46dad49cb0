// The services that a plugin is told of, and which of their changes it has not been told.

import SallyportProtocol
import SwiftProtobuf

/// A request that tells a plugin of services.
package protocol ServicesUpdate: Message, Equatable {
    associatedtype Service: ToldService
    var replaceAll: Bool { get set }
    var upserts: [Service] { get set }
    var removes: [Sallyport_Policy_V1_ObjectKey] { get set }
}

package protocol ToldService: Message {
    var key: Sallyport_Policy_V1_ObjectKey { get }
}

extension Sallyport_Plugin_V1_UpdateServicesRequest: ServicesUpdate {}
extension Sallyport_Plugin_V1_AdaptedService: ToldService {}
extension Sallyport_Plugin_V1_UpdatePublicServicesRequest: ServicesUpdate {}
extension Sallyport_Plugin_V1_PublicService: ToldService {}

/// Gathers changes until the plugin takes them: only the last of each service counts.
package struct ServiceBook<Update: ServicesUpdate>: Sendable {
    package typealias Key = Sallyport_Policy_V1_ObjectKey

    /// Bytes of services in one message, well below the limit of 4 MiB.
    package static var messageBytes: Int { 1 << 20 }

    package private(set) var services: [Key: Update.Service] = [:]
    private var changed: Set<Key> = []
    /// The plugin knows nothing of what is here.
    private var startsOver = true

    package init() {}

    package mutating func apply(upserts: [Update.Service], removes: [Key], replaceAll: Bool) {
        if replaceAll {
            services = [:]
            changed = []
            startsOver = true
        }
        for service in upserts {
            services[service.key] = service
            changed.insert(service.key)
        }
        for key in removes {
            services[key] = nil
            changed.insert(key)
        }
    }

    /// The plugin is a new one, or an update did not reach it.
    package mutating func startOver() { startsOver = true }

    package var hasChanges: Bool { startsOver || !changed.isEmpty }

    /// The updates that bring the plugin up to date; from then on it counts as told.
    package mutating func take() -> [Update] {
        guard hasChanges else { return [] }
        var request = Update()
        request.replaceAll = startsOver
        if !startsOver { request.removes = changed.filter { services[$0] == nil } }
        var requests: [Update] = []
        var bytes = 0
        for service in startsOver ? Array(services.values) : changed.compactMap({ services[$0] }) {
            // A message that cannot be encoded counts as large; the call that sends it says what is wrong.
            bytes += ((try? service.serializedData().count) ?? Self.messageBytes) + 8
            request.upserts.append(service)
            if bytes >= Self.messageBytes {
                requests.append(request)
                (request, bytes) = (.init(), 0)
            }
        }
        if requests.isEmpty || !request.upserts.isEmpty { requests.append(request) }
        changed = []
        startsOver = false
        return requests
    }
}
