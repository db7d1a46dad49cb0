// The one function that the shared object exports.

import CSallyportPlugin
import LoadBalancerHAProxy
import PluginKit

@c(sallyport_plugin_entry)
public func entry(_ host: UnsafePointer<sallyport_host_v1>?) -> UnsafePointer<sallyport_plugin_v1>? {
    PluginEntry.make(LoadBalancerHAProxy.self, host)
}
