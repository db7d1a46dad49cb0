// Do load balancers pass connections to where services are, and say what services expect?

import FlowFormat
import FlowLog
import Linux
import Policy
import SallyportProtocol

extension DoctorFacts {
    var proxyChecks: [DoctorCheck] {
        let mends: [(Sallyport_Flow_V1_Reason, String)] = [
            (.badProxyHeader, "see the flows' details: `sallyport flows --reason bad-proxy-header`; let one load balancer only send a header"),
            (.proxyHeaderMissing, "let the load balancer send it (HAProxy: send-proxy-v2), or set proxyProtocol.header: optional"),
            (.proxyHeaderTimeout, "let the load balancer send it at once (HAProxy: send-proxy-v2), or disable proxyProtocol"),
            (.proxyHeaderUntrusted, "switch the preservation of client addresses off at the load balancer, or add its subnet to proxyProtocol.subnets"),
        ]
        var found: [DoctorCheck] = []
        for (reason, mend) in mends {
            for refusal in refusals where refusal.reason == reason {
                let service = refusal.service.isEmpty ? "a service that was not known yet" : refusal.service
                found.append(check("proxy-protocol", .warning, "\(service): flows refused as \(reason.word) in the last hour: \(refusal.count)", mend))
            }
        }
        for balancer in balancers {
            for server in balancer.servers {
                let name = "\(balancer.service): the load balancer's server \(server.name)"
                switch (server.proxyProtocol, balancer.header) {
                case (.none, .required):
                    found.append(
                        check("proxy-protocol", .warning, "\(name) is sent no PROXY header, and the service requires one",
                            "let the load balancer send it, or disable loadBalancer.proxyProtocol"))
                case (.v1, .absent), (.v2, .absent):
                    found.append(
                        check("proxy-protocol", .warning, "\(name) is sent a PROXY header, and the service expects none",
                            "enable loadBalancer.proxyProtocol with the load balancer's subnets, or let it send none"))
                default: break
                }
            }
        }
        return unless(found, "proxy-protocol", "no mismatch was seen in the last hour")
    }

    /// A port is judged at units' own addresses only: elsewhere it may be a node port, which leads to any.
    var balancerChecks: [DoctorCheck] {
        var found: [DoctorCheck] = []
        for balancer in balancers {
            let down = balancer.servers.filter { $0.state == .down }
            if let first = down.first, down.count == balancer.servers.count {
                let servers = down.count == 1 ? "its only server \(first.name)" : "all \(down.count) servers"
                found.append(
                    check("load-balancers", .failed, "\(balancer.service): the load balancer holds \(servers) for down\(detail(first))",
                        "see that the applications run, and that the load balancer's checks reach them"))
            } else {
                found += down.map {
                    check("load-balancers", .warning, "\(balancer.service): the load balancer's server \($0.name) is down\(detail($0))",
                        "see that its application runs, and that the load balancer's check reaches it")
                }
            }
            for server in balancer.servers where !balancer.has(server.port) {
                guard let address = IPAddress(bytes: server.address), unitAddresses.contains(address) else { continue }
                let publicPort = balancer.publicPort == 0 ? "" : ", nor its public port \(balancer.publicPort)"
                found.append(
                    check("load-balancers", .warning,
                        "\(balancer.service): the load balancer's server \(server.name) is port \(server.port) of a unit, which is not the service's target port \(balancer.targetPort)\(publicPort)",
                        "correct the port in the load balancer, or target.port of the service"))
            }
        }
        let servers = balancers.reduce(0) { $0 + $1.servers.count }
        return unless(
            found, "load-balancers",
            servers == 0 ? "tell nothing of their servers" : "have \(count(servers, "server")), of which none is down or has another port than its service")
    }
}

extension BalancedService {
    /// Whether a port of a unit is one at which it serves the service; 0 is one that is not known.
    fileprivate func has(_ port: UInt32) -> Bool { port == 0 || port == UInt32(targetPort) || publicPort != 0 && port == UInt32(publicPort) }
}

private func detail(_ server: Sallyport_Plugin_V1_Backend) -> String { server.detail.isEmpty ? "" : ": \(server.detail)" }
