// The exported symbol of tls-custom-certificate.so.

import CSallyportPlugin
import PluginKit
import TLSCustomCertificate

@c(sallyport_plugin_entry)
public func entry(_ host: UnsafePointer<sallyport_host_v1>?) -> UnsafePointer<sallyport_plugin_v1>? {
    PluginEntry.make(TLSCustomCertificate.self, host)
}
