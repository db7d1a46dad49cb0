// A cluster in documents: as many as the size says, with the same shape each time.

import SallyportProtocol

struct ClusterSize {
    var units: Int
    var services: Int
    var rulesets: Int
    /// PUs of one busy node.
    var locals: Int { min(100, units) }
}

enum ClusterLayout: String, CaseIterable {
    case spread = "1,000 namespaces of ten services each, with rulesets of their own"
    case flat = "one namespace: each PU sees every service"
    case broad = "one namespace, and every ruleset holds for every PU"
}

struct Cluster {
    let size: ClusterSize
    let layout: ClusterLayout

    func namespace(_ index: Int) -> String { layout == .spread ? "/acme/n\(index % min(1000, size.services))" : "/acme" }

    func unit(_ index: Int, version: Int = 1) -> Sallyport_Policy_V1_Object {
        // Local PUs are spread over the namespaces as the others are.
        let step = max(1, size.units / size.locals)
        let isLocal = index % step == 0 && index / step < size.locals
        return .with {
            $0.key = key(.processingUnit, index % size.services, "pu-\(index)")
            $0.processingUnit = .with {
                $0.type = .container
                $0.tags = ["app=app-\(index % size.services)", "env=production", "team=team-\(index % 50)", "version=\(version)", "zone=z\(index % 3)"]
                $0.addresses = ["10.\(index >> 16 & 255).\(index >> 8 & 255).\(index & 255)"]
                if isLocal { $0.networkNamespacePath = "/run/netns/pu-\(index)" } else { $0.node = "node-\(index % 1000)" }
            }
        }
    }

    func service(_ index: Int, port: UInt32 = 443) -> Sallyport_Policy_V1_Object {
        .with {
            $0.key = key(.tcpService, index, "service-\(index)")
            $0.tcpService = .with {
                $0.loadBalancer.addresses = ["172.16.\(index >> 8 & 255).\(index & 255)"]
                $0.loadBalancer.port = port
                $0.target.selector = selector(["$identity=processingunit", "app=app-\(index)"])
                $0.target.port = 8080
            }
        }
    }

    func ruleset(_ index: Int, port: Int = 8080) -> Sallyport_Policy_V1_Object {
        .with {
            $0.key = key(.networkRuleset, index % size.services, "ruleset-\(index)")
            $0.networkRuleset = .with {
                $0.subject = selector(layout == .broad ? ["env=production"] : ["app=app-\(index % size.services)"])
                // The service's neighbours in its namespace: 1,000 apart when spread.
                let peer = (index + (layout == .spread ? 1000 : 1)) % size.services
                $0.outgoing = [rule(["app=app-\(peer)", "env=production"], "tcp/\(port)")]
                $0.incoming = [rule(["app=app-\(peer)"], "tcp/8080"), rule(["team=team-\(index % 50)", "zone!=z1"], "tcp/9000:9010")]
            }
        }
    }

    private func key(_ kind: Sallyport_Policy_V1_Kind, _ index: Int, _ name: String) -> Sallyport_Policy_V1_ObjectKey {
        .with {
            $0.kind = kind
            $0.namespace = namespace(index)
            $0.name = name
        }
    }

    private func selector(_ tags: [String]) -> Sallyport_Policy_V1_Selector { .with { $0.anyOf = [.with { $0.allOf = tags }] } }

    private func rule(_ object: [String], _ port: String) -> Sallyport_Policy_V1_NetworkRuleset.Rule {
        .with {
            $0.action = .allow
            $0.object = selector(object)
            $0.ports = [port]
        }
    }
}
