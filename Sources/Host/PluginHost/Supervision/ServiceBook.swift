// The services that an adapter resolves, and which of their changes it has not been told.

import SallyportProtocol

/// Gathers changes until the adapter takes them: only the last of each service counts.
package struct ServiceBook: Sendable {
    package typealias Key = Sallyport_Policy_V1_ObjectKey
    package typealias Service = Sallyport_Plugin_V1_AdaptedService

    /// Bytes of services in one message, well below the limit of 4 MiB.
    package static let messageBytes = 1 << 20

    package private(set) var services: [Key: Service] = [:]
    private var changed: Set<Key> = []
    /// The adapter knows nothing of what is here.
    private var startsOver = true

    package init() {}

    package mutating func apply(upserts: [Service], removes: [Key], replaceAll: Bool) {
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

    /// The adapter is a new one, or an update did not reach it.
    package mutating func startOver() { startsOver = true }

    package var hasChanges: Bool { startsOver || !changed.isEmpty }

    /// The updates that bring the adapter up to date; from then on it counts as told.
    package mutating func take() -> [Sallyport_Plugin_V1_UpdateServicesRequest] {
        guard hasChanges else { return [] }
        var request = Sallyport_Plugin_V1_UpdateServicesRequest()
        request.replaceAll = startsOver
        if !startsOver { request.removes = changed.filter { services[$0] == nil } }
        var requests: [Sallyport_Plugin_V1_UpdateServicesRequest] = []
        var bytes = 0
        for service in startsOver ? Array(services.values) : changed.compactMap({ services[$0] }) {
            // A message that cannot be encoded counts as large; the call that sends it says what is wrong.
            bytes += ((try? service.serializedData().count) ?? ServiceBook.messageBytes) + 8
            request.upserts.append(service)
            if bytes >= ServiceBook.messageBytes {
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
