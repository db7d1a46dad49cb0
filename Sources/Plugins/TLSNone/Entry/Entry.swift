// The exported symbol of tls-none.so.

import CSallyportPlugin
import PluginKit
import TLSNone

@c(sallyport_plugin_entry)
public func entry(_ host: UnsafePointer<sallyport_host_v1>?) -> UnsafePointer<sallyport_plugin_v1>? {
    PluginEntry.make(TLSNone.self, host)
}
