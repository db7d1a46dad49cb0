// Which plugin supplies the public ports of which services: by the services' mode of TLS.

import SallyportProtocol

public typealias PublicTLSMode = Sallyport_Policy_V1_TCPService.TLS.Mode

/// The services with a public port, and the plugin (by its drop-in's name) that each mode belongs to.
package struct PublicPortRouting: Sendable {
    package typealias Key = Sallyport_Policy_V1_ObjectKey
    package typealias Service = Sallyport_Plugin_V1_PublicService

    package struct Update: Sendable, Equatable {
        package var upserts: [Service] = []
        package var removes: [Key] = []

        package init(upserts: [Service] = [], removes: [Key] = []) {
            self.upserts = upserts
            self.removes = removes
        }
    }

    package enum Claim: Sendable, Equatable {
        /// All services of the modes, and those who must give up a mode.
        case granted(services: [Service], losers: [String: PublicTLSMode])
        /// Another drop-in, which comes before this one, has the mode.
        case refused(PublicTLSMode, by: String)
    }

    private struct Owner: Sendable {
        let name: String
        /// Its drop-in's.
        let file: String
    }

    private var services: [Key: Service] = [:]
    private var owners: [PublicTLSMode: Owner] = [:]

    package init() {}

    /// The name of the drop-in that a mode belongs to.
    package func owner(of mode: PublicTLSMode) -> String? { owners[mode]?.name }

    /// - Returns: What each owner is to be told.
    package mutating func apply(upserts: [Service], removes: [Key], replaceAll: Bool) -> [String: Update] {
        let kept = Set(upserts.map(\.key))
        var updates: [String: Update] = [:]
        for key in replaceAll ? services.keys.filter({ !kept.contains($0) }) : removes {
            guard let old = services.removeValue(forKey: key), let owner = owner(of: old.tls.mode) else { continue }
            updates[owner, default: Update()].removes.append(key)
        }
        for service in upserts {
            let before = services.updateValue(service, forKey: service.key).flatMap { owner(of: $0.tls.mode) }
            let now = owner(of: service.tls.mode)
            if let before, before != now { updates[before, default: Update()].removes.append(service.key) }
            if let now { updates[now, default: Update()].upserts.append(service) }
        }
        return updates
    }

    /// A plugin says which modes it is for; what it had before is released.
    package mutating func claim(_ modes: [PublicTLSMode], _ name: String, file: String) -> Claim {
        release(name)
        for mode in modes {
            if let owner = owners[mode], owner.file < file { return .refused(mode, by: owner.file) }
        }
        var losers: [String: PublicTLSMode] = [:]
        for mode in modes {
            if let owner = owners.updateValue(Owner(name: name, file: file), forKey: mode) { losers[owner.name] = mode }
        }
        // What has lost one mode is ended, and has none.
        for loser in losers.keys { release(loser) }
        return .granted(services: services.values.filter { modes.contains($0.tls.mode) }, losers: losers)
    }

    /// A plugin is gone for good.
    package mutating func release(_ name: String) { owners = owners.filter { $0.value.name != name } }

    static func conflict(_ mode: PublicTLSMode, with file: String) -> String {
        "tls.mode \(mode.shown) is supplied by the plugin of \(file) already: disable one of the two"
    }
}

extension PublicTLSMode {
    /// As services have it: "InternalCA".
    public var shown: String {
        switch self {
        case .internalCa: "InternalCA"
        case .customCertificate: "CustomCertificate"
        case .none: "None"
        case .UNRECOGNIZED(let number): "\(number)"
        }
    }
}
