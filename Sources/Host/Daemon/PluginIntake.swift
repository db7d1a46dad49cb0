// What plugins bring, on its way to the enforcer.

import Identity
import PluginHost
import Policy
import SallyportProtocol

extension Enforcer: PluginSink {
    public func policy(source: String, _ event: Sallyport_Plugin_V1_PolicyEvent) { take(event, from: source) }
    public func trust(provider: String, _ bundle: Sallyport_Plugin_V1_TrustBundle) async { await take(bundle, from: provider) }
    public func frontends(adapter: String, _ event: Sallyport_Plugin_V1_FrontendsEvent) { take(event, from: adapter) }
    public func certificates(provider: String, _ event: Sallyport_Plugin_V1_CertificatesEvent) { take(event, from: provider) }
    public func pluginsChanged() async { await store?.retry() }
}

// Policy and identity name units alike, and do not know each other.

extension UnitKey {
    init(_ unit: CredentialStore.Unit) { self.init(namespace: unit.namespace, name: unit.name) }
}

extension CredentialStore.Unit {
    init(_ key: UnitKey) { self.init(namespace: key.namespace, name: key.name) }
}
