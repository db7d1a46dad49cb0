// Short ways to write documents in these tests.

import PolicyDocuments

/// DER of SEQUENCE { INTEGER 0 }: all that documents ask of PEM.
let certificate = "-----BEGIN CERTIFICATE-----\nMAMCAQA=\n-----END CERTIFICATE-----\n"
let privateKey = "-----BEGIN PRIVATE KEY-----\nMAMCAQA=\n-----END PRIVATE KEY-----\n"

/// A document whose spec is `spec`, indented by two.
func document(_ kind: String, _ name: String = "web", namespace: String? = "/acme/shop", spec: String) -> String {
    let place = namespace.map { ", namespace: \($0)" } ?? ""
    let body = spec.split(separator: "\n", omittingEmptySubsequences: false).map { "  \($0)" }.joined(separator: "\n")
    return "apiVersion: sallyport.dev/v1\nkind: \(kind)\nmetadata: {name: \(name)\(place)}\nspec:\n\(body)\n"
}

/// A service that is right, with lines added to parts of its spec.
func service(_ name: String = "web", loadBalancer: String = "", target: String = "", more: String = "") -> String {
    document(
        "TCPService", name,
        spec: """
            loadBalancer:
              addresses: [10.96.0.10]
              port: 9376
              \(loadBalancer)
            target:
              selector: [[app=web]]
              port: 80
              \(target)
            \(more)
            """)
}

/// "LINE:COLUMN: FIELD: MESSAGE" of each problem.
func problems(_ text: String) -> [String] {
    decodeDocuments(text, file: "x").problems.map { String($0.description.dropFirst(2)) }
}

/// The only problem of a text that has one.
func problem(_ text: String) -> String {
    let found = problems(text)
    return found.count == 1 ? found[0] : "\(found.count) problems: \(found.joined(separator: " | "))"
}
