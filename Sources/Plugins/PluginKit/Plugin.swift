// What the author of a plugin in Swift writes: a type that conforms to one or more of these protocols.
//
//     final class Hello: PolicySourcePlugin { … }
//
//     @c(sallyport_plugin_entry)
//     public func entry(_ host: UnsafePointer<sallyport_host_v1>?) -> UnsafePointer<sallyport_plugin_v1>? {
//         PluginEntry.make(Hello.self, host)
//     }
//
// The messages and services are those of sallyport/plugin/v1/plugin.proto; docs/plugin-abi.md says what
// the host expects of each.

import SallyportProtocol
import TTRPC

public typealias ConfigProblem = Sallyport_Plugin_V1_ConfigProblem
public typealias HostFacts = Sallyport_Plugin_V1_HostFacts
public typealias PolicyEvent = Sallyport_Plugin_V1_PolicyEvent
public typealias TrustBundle = Sallyport_Plugin_V1_TrustBundle
public typealias IssueRequest = Sallyport_Plugin_V1_IssueProcessingUnitRequest
public typealias IssueResponse = Sallyport_Plugin_V1_IssueProcessingUnitResponse
public typealias FrontendsEvent = Sallyport_Plugin_V1_FrontendsEvent
public typealias NamesRequest = Sallyport_Plugin_V1_NamesOfRequest
public typealias NamesResponse = Sallyport_Plugin_V1_NamesOfResponse
public typealias UpdateServicesRequest = Sallyport_Plugin_V1_UpdateServicesRequest
public typealias CertificatesEvent = Sallyport_Plugin_V1_CertificatesEvent
public typealias PublicCertificate = Sallyport_Plugin_V1_PublicCertificate
public typealias PublicService = Sallyport_Plugin_V1_PublicService
public typealias PublicTLSMode = Sallyport_Policy_V1_TCPService.TLS.Mode
public typealias UpdatePublicServicesRequest = Sallyport_Plugin_V1_UpdatePublicServicesRequest

/// What every plugin does. A class or an actor; one instance lives as long as its drop-in stands.
///
/// Every method runs on a thread of the plugin's own (`PluginHostHandle.thread`), so blocking there holds
/// up this plugin only. `configure` is never called twice at once.
public protocol Plugin: AnyObject, Sendable {
    /// The drop-in's `config`. Unknown keys are refused before it is decoded, by `description.settings`.
    associatedtype Configuration: Decodable & Sendable

    static var description: PluginDescription { get }

    init(host: PluginHostHandle)

    /// What is wrong with a configuration that could be decoded; nothing is applied.
    func validate(_ configuration: Configuration) async -> [ConfigProblem]

    /// Applies a configuration that passed `validate`, the first or a new one. Open watches carry on under it.
    /// - Throws: `ConfigRefused`, or any other error: then what was in force must still be.
    func configure(_ configuration: Configuration, host: HostFacts) async throws

    func health() async -> PluginHealth

    /// Called once, before the plugin is ended.
    func shutdown() async
}

extension Plugin {
    public func validate(_ configuration: Configuration) async -> [ConfigProblem] { [] }
    public func health() async -> PluginHealth { .ready }
    public func shutdown() async {}
}

/// Supplies policy documents.
public protocol PolicySourcePlugin: Plugin {
    /// Sends a snapshot, then a `complete` mark, then deltas, each group closed by a `complete`; returns or throws
    /// only when it cannot go on. Its task is cancelled when the host no longer reads.
    func watch(_ events: MessageSender<PolicyEvent>) async throws
}

/// Issues the certificates of processing units.
public protocol TLSProviderPlugin: Plugin {
    func issue(_ request: IssueRequest) async throws -> IssueResponse

    /// Sends the trust bundle, now and at each change.
    func watchTrust(_ bundles: MessageSender<TrustBundle>) async throws
}

/// Knows the addresses that clients dial for a service.
public protocol LoadBalancerAdapterPlugin: Plugin {
    func updateServices(_ request: UpdateServicesRequest) async throws

    /// Sends every service's frontends (`complete` on the last of these), then what changes.
    func watchFrontends(_ events: MessageSender<FrontendsEvent>) async throws

    /// The names of an address that lead back to it. Only `load-balancer-static` is asked; others need not have it.
    func names(_ request: NamesRequest) async throws -> NamesResponse
}

extension LoadBalancerAdapterPlugin {
    public func names(_ request: NamesRequest) async throws -> NamesResponse {
        throw RPCError(.unimplemented, "\(Self.description.name) knows no names of addresses")
    }
}

/// Supplies what public ports serve.
public protocol PublicTLSPlugin: Plugin {
    /// The values of a service's `tls.mode` that this plugin is for. No two plugins of a daemon may have the same.
    static var publicTLSModes: [PublicTLSMode] { get }

    func updateServices(_ request: UpdatePublicServicesRequest) async throws

    /// Sends what every service's public port serves (`complete` on the last of these), then what changes.
    func watchCertificates(_ events: MessageSender<CertificatesEvent>) async throws
}

/// Whether a plugin can do its work.
public struct PluginHealth: Sendable, Equatable {
    public var ready: Bool
    /// When not ready, or degraded: why, and what to do.
    public var message: String

    public init(ready: Bool, message: String = "") {
        self.ready = ready
        self.message = message
    }

    public static let ready = PluginHealth(ready: true)
}

/// Thrown by `configure` to refuse a configuration.
public struct ConfigRefused: Error, Sendable {
    public var problems: [ConfigProblem]

    public init(_ problems: [ConfigProblem]) { self.problems = problems }

    public init(field: String, _ message: String) { problems = [ConfigProblem(field: field, message)] }
}

extension ConfigProblem {
    /// - Parameters:
    ///   - field: The path in `config`: "directory", "names[2].ttl"; empty for the whole.
    ///   - message: One sentence, lower case, with what would be right.
    public init(field: String, _ message: String) {
        self.init()
        self.field = field
        self.message = message
    }
}
