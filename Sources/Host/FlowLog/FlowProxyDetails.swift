// What a PROXY header told of a client besides its address.

import SallyportProtocol

/// From the fields of a PROXY v2 header (proxy-protocol.txt, 2.2); empty where it said nothing.
public final class FlowProxyDetails: Sendable {
    let authority: String
    let alpn: String
    let uniqueID: [UInt8]
    let tlsVersion: String
    let clientCommonName: String
    let vpcEndpointID: String

    /// - Parameter clientCommonName: Of the client's certificate, if the load balancer verified it.
    public init(authority: String, alpn: String, uniqueID: [UInt8], tlsVersion: String, clientCommonName: String, vpcEndpointID: String) {
        self.authority = authority
        self.alpn = alpn
        self.uniqueID = uniqueID
        self.tlsVersion = tlsVersion
        self.clientCommonName = clientCommonName
        self.vpcEndpointID = vpcEndpointID
    }

    public var isEmpty: Bool {
        authority.isEmpty && alpn.isEmpty && uniqueID.isEmpty && tlsVersion.isEmpty && clientCommonName.isEmpty && vpcEndpointID.isEmpty
    }

    var message: Sallyport_Flow_V1_ProxyDetails {
        .with {
            $0.authority = authority
            $0.alpn = alpn
            $0.uniqueID = uniqueID.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
            $0.tlsVersion = tlsVersion
            $0.clientCommonName = clientCommonName
            $0.vpcEndpointID = vpcEndpointID
        }
    }
}
