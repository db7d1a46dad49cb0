// Where what plugins supply goes.

import SallyportProtocol

/// Takes what plugins supply. Calls for one plugin come one after the other; a plugin waits while its sink does.
public protocol PluginSink: Sendable {
    /// An event of a policy source. After a restart of the source, what it does not send again is removed by an event made
    /// here, before the first `complete`.
    func policy(source: String, _ event: Sallyport_Plugin_V1_PolicyEvent) async
    func trust(provider: String, _ bundle: Sallyport_Plugin_V1_TrustBundle) async
    func frontends(adapter: String, _ event: Sallyport_Plugin_V1_FrontendsEvent) async
    /// What public ports serve. Of a service that has gone to another provider meanwhile, nothing comes.
    func certificates(provider: String, _ event: Sallyport_Plugin_V1_CertificatesEvent) async
    /// The state of some plugin is another one.
    func pluginsChanged() async
}
