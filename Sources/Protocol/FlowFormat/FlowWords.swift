// The words for a flow record's closed lists: in the log file, in metrics and on the command line.

import SallyportProtocol

extension Sallyport_Flow_V1_Reason {
    /// "rejected-by-rule"; "none" for no reason. One a newer enforcer added is "unknown".
    public var word: String {
        let number = rawValue
        return reasonWords.indices.contains(number) ? reasonWords[number] : "unknown"
    }

    /// - Returns: nil if `word` is none of the list.
    public init?(word: some StringProtocol) {
        guard let number = reasonWords.firstIndex(where: { $0 == word }) else { return nil }
        self.init(rawValue: number)
    }
}

/// In the order of the numbers in flow.proto.
private let reasonWords = [
    "none", "rejected-by-rule", "default-reject", "refused-by-peer", "not-a-target", "dial-failed", "dial-timeout",
    "handshake-failed", "handshake-timeout", "peer-not-enforcer", "certificate-expired", "certificate-not-yet-valid",
    "certificate-untrusted", "certificate-identity", "certificate-missing", "bad-preface", "preface-timeout", "bad-answer",
    "not-a-client-hello", "too-many-connections", "out-of-resources", "loop", "policy-changed", "drained", "shutdown",
    "reset-by-source", "reset-by-destination", "truncated", "half-close-timeout", "not-ready", "no-such-service",
    "target-tls-failed", "bad-proxy-header", "proxy-header-missing", "proxy-header-timeout", "proxy-header-untrusted",
    "client-tls-failed", "client-certificate", "load-balancer-tls-failed", "health-check", "out-of-ports", "client-address-unusable",
]

extension Sallyport_Flow_V1_Verdict {
    public var word: String {
        switch self {
        case .accepted: "accepted"
        case .refused: "refused"
        case .unspecified, .UNRECOGNIZED: "unknown"
        }
    }
}

extension Sallyport_Flow_V1_Encryption {
    public var word: String {
        switch self {
        case .no: "no"
        case .enforcer: "enforcer"
        case .application: "application"
        case .UNRECOGNIZED: "unknown"
        }
    }
}

extension Sallyport_Flow_V1_Side {
    public var word: String {
        switch self {
        case .client: "client"
        case .server: "server"
        case .unspecified, .UNRECOGNIZED: "unknown"
        }
    }
}

extension Sallyport_Flow_V1_Phase {
    public var word: String {
        switch self {
        case .start: "start"
        case .end: "end"
        case .UNRECOGNIZED: "unknown"
        }
    }
}

extension Sallyport_Flow_V1_Endpoint.TypeEnum {
    public var word: String {
        switch self {
        case .processingUnit: "processing-unit"
        case .externalNetwork: "external-network"
        case .unknown, .UNRECOGNIZED: "unknown"
        }
    }
}
