// What plugins bring, on its way to the enforcer.

import PluginHost
import SallyportProtocol

extension Enforcer: PluginSink {
    public func policy(source: String, _ event: Sallyport_Plugin_V1_PolicyEvent) { take(event, from: source) }
    public func trust(provider: String, _ bundle: Sallyport_Plugin_V1_TrustBundle) async { await take(bundle, from: provider) }
    public func frontends(adapter: String, _ event: Sallyport_Plugin_V1_FrontendsEvent) { take(event, from: adapter) }
    public func pluginsChanged() async { await store?.retry() }
}
