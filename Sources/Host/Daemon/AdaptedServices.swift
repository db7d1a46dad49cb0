// Which adapter resolves which service, and what each must be told of a change.

import SallyportProtocol

/// A value without I/O.
package struct AdaptedServices: Sendable {
    package typealias Key = Sallyport_Policy_V1_ObjectKey

    /// What one adapter is told.
    package struct Change: Sendable {
        package var upserts: [Sallyport_Plugin_V1_AdaptedService] = []
        package var removes: [Key] = []
    }

    private var adapters: [Key: String] = [:]

    package init() {}

    /// Takes new versions of services. One that names another adapter than before is taken from that.
    /// - Returns: By adapter.
    package mutating func follow(_ services: [Sallyport_Policy_V1_Object], removed: [Key]) -> [String: Change] {
        var changes: [String: Change] = [:]
        for key in removed {
            if let adapter = adapters.removeValue(forKey: key) { changes[adapter, default: Change()].removes.append(key) }
        }
        for object in services {
            let balancer = object.tcpService.loadBalancer
            let adapter = balancer.adapter.isEmpty ? "static" : balancer.adapter
            if let old = adapters.updateValue(adapter, forKey: object.key), old != adapter {
                changes[old, default: Change()].removes.append(object.key)
            }
            changes[adapter, default: Change()].upserts.append(.with {
                $0.key = object.key
                $0.loadBalancer = balancer
            })
        }
        return changes
    }

    /// An adapter may answer for a service that has gone meanwhile, or that is another's now.
    package func has(_ adapter: String, _ service: Key) -> Bool { adapters[service] == adapter }
}
