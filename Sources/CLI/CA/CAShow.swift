// sallyport ca show: roots and enforcers with their dates.

import ArgumentParser
import FlowFormat
import PKI

struct CAShowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "show", abstract: "List roots and enforcers.")

    @OptionGroup var options: CAOptions

    func run() async throws {
        try await reportingRefusals {
            let contents = try options.open().contents()
            switch options.format.output {
            case .json: try write(contents.json)
            case .text:
                try write("trust domain \(contents.trustDomain)\n\n")
                try write(roots(contents.roots, "ROOT").text(.standardOutput))
                if !contents.serviceRoots.isEmpty { try write("\n" + roots(contents.serviceRoots, "ROOT OF PUBLIC PORTS").text(.standardOutput)) }
                if !contents.enforcers.isEmpty { try write("\n" + enforcers(contents).text(.standardOutput)) }
            }
        }
    }

    private func roots(_ roots: [CertificateAuthority.Contents.Root], _ title: String) -> Table {
        var table = Table((title, .left), ("UNTIL", .left), ("", .left))
        for (index, root) in roots.enumerated() {
            table.add(
                .init(String(root.fingerprint.prefix(16))), until(root.validity),
                .init(roots.count == 1 ? "" : index == 0 ? "new" : "trusted until `sallyport ca retire`", .dim))
        }
        return table
    }

    private func enforcers(_ contents: CertificateAuthority.Contents) -> Table {
        var table = Table(("ENFORCER", .left), ("NAMESPACES", .flexible), ("UNTIL", .left), ("PUBLIC PORTS", .left), ("", .left))
        for enforcer in contents.enforcers {
            table.add(
                .init(enforcer.name), .init(enforcer.facts.namespaces.map(\.description).joined(separator: " ")), until(enforcer.facts.validity),
                enforcer.serviceNotAfter.map { until(Validity(notBefore: 0, notAfter: $0)) } ?? .init("none", .dim),
                .init(enforcer.isOfCurrentRoot && enforcer.isOfCurrentServiceRoot ? "" : "of an older root: renew it", .warning))
        }
        return table
    }

    private func until(_ validity: Validity) -> Table.Cell {
        let left = validity.notAfter - options.now
        // A month: what the plugin warns of as well.
        return Table.Cell(date(validity.notAfter), left <= 0 ? .bad : left < 30 * 86400 ? .warning : .plain)
    }
}

/// "2027-03-01".
func date(_ seconds: Int64) -> String { String(rfc3339(seconds: seconds).prefix(10)) }

extension CertificateAuthority.Contents {
    var json: String {
        JSONText.document { json in
            json.object {
                $0.field("trustDomain", trustDomain)
                $0.key("roots")
                $0.array(roots, rootJSON)
                $0.key("serviceRoots")
                $0.array(serviceRoots, rootJSON)
                $0.key("enforcers")
                $0.array(enforcers) { json, enforcer in
                    json.object {
                        $0.field("name", enforcer.name)
                        $0.field("namespaces", enforcer.facts.namespaces.map(\.description))
                        $0.field("notBefore", rfc3339(seconds: enforcer.facts.validity.notBefore))
                        $0.field("notAfter", rfc3339(seconds: enforcer.facts.validity.notAfter))
                        $0.field("isOfCurrentRoot", enforcer.isOfCurrentRoot)
                        $0.field("serviceNotAfter", enforcer.serviceNotAfter.map { rfc3339(seconds: $0) } ?? "")
                        $0.field("isOfCurrentServiceRoot", enforcer.isOfCurrentServiceRoot)
                    }
                }
            }
        }
    }

    private func rootJSON(_ json: inout JSONText, _ root: Root) {
        json.object {
            $0.field("fingerprint", root.fingerprint)
            $0.field("notBefore", rfc3339(seconds: root.validity.notBefore))
            $0.field("notAfter", rfc3339(seconds: root.validity.notAfter))
        }
    }
}
