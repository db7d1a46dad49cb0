// swift-tools-version: 6.2
import PackageDescription

// Plugins are shared objects that export one C function and nothing else, so that two builds of a
// library in one process never meet (docs/plugin-abi.md, "Symbols").
let pluginLinking: [LinkerSetting] = [
    .unsafeFlags([
        "-Xlinker", "--version-script=Sources/Plugins/plugin.map", "-Xlinker", "-Bsymbolic", "-Xlinker", "-rpath=$ORIGIN/../runtime",
    ])
]

// An installed program finds the Swift runtime that `make install` put beside the plugins.
let programLinking: [LinkerSetting] = [.unsafeFlags(["-Xlinker", "-rpath=$ORIGIN/../lib/sallyport/runtime", "-Xlinker", "-rpath=$ORIGIN/runtime"])]

/// A plugin is two targets: its logic, which tests import, and the exported entry point.
func plugin(_ name: String, dependencies: [Target.Dependency] = []) -> [Target] {
    [
        .target(
            name: name, dependencies: ["PluginKit", "SallyportProtocol"] + dependencies,
            path: "Sources/Plugins/\(name)", exclude: ["Entry"]),
        .target(
            name: "\(name)Entry", dependencies: [.target(name: name), "PluginKit", "CSallyportPlugin"],
            path: "Sources/Plugins/\(name)/Entry", linkerSettings: pluginLinking),
    ]
}

func tests(_ folder: String, dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .testTarget(name: "\(folder)Tests", dependencies: dependencies + ["Support"], path: "Tests/\(folder)", exclude: exclude)
}

let package = Package(
    name: "sallyport",
    products: [
        .executable(name: "sallyportd", targets: ["sallyportd"]),
        .executable(name: "sallyport", targets: ["sallyport"]),
        .executable(name: "sallyport-plugin-runner", targets: ["sallyport-plugin-runner"]),
        .library(name: "PluginKit", targets: ["PluginKit"]),
        .library(name: "policy-file", type: .dynamic, targets: ["PolicyFileEntry"]),
        .library(name: "tls-internal-ca", type: .dynamic, targets: ["TLSInternalCAEntry"]),
        .library(name: "tls-custom-certificate", type: .dynamic, targets: ["TLSCustomCertificateEntry"]),
        .library(name: "tls-none", type: .dynamic, targets: ["TLSNoneEntry"]),
        .library(name: "load-balancer-static", type: .dynamic, targets: ["LoadBalancerStaticEntry"]),
        .library(name: "load-balancer-haproxy", type: .dynamic, targets: ["LoadBalancerHAProxyEntry"]),
        .library(name: "networks-swift", type: .dynamic, targets: ["NetworksSwift"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.1"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.4"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        // For its vendored BoringSSL, a target and no product: hence the exact version (docs/building.md).
        .package(url: "https://github.com/apple/swift-nio-ssl", exact: "2.37.6"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        // Protocol: what crosses a boundary.
        .target(name: "CSallyportPlugin", path: "Sources/Protocol/CSallyportPlugin"),
        .target(
            name: "SallyportProtocol",
            dependencies: [.product(name: "SwiftProtobuf", package: "swift-protobuf")],
            path: "Sources/Protocol/SallyportProtocol"),
        .target(
            name: "TTRPC",
            dependencies: ["SallyportProtocol", "Linux", .product(name: "SwiftProtobuf", package: "swift-protobuf")],
            path: "Sources/Protocol/TTRPC"),
        .target(
            name: "PolicyDocuments", dependencies: ["SallyportProtocol", "Yams", "Linux"],
            path: "Sources/Protocol/PolicyDocuments"),
        .target(
            name: "PKI",
            dependencies: [
                .product(name: "X509", package: "swift-certificates"), .product(name: "SwiftASN1", package: "swift-asn1"),
                .product(name: "Crypto", package: "swift-crypto"), "Linux",
            ],
            path: "Sources/Protocol/PKI"),
        .target(name: "FlowFormat", dependencies: ["SallyportProtocol"], path: "Sources/Protocol/FlowFormat"),
        .target(name: "Linux", dependencies: ["CLinux"], path: "Sources/Protocol/Linux"),
        .target(name: "CLinux", path: "Sources/Protocol/CLinux"),

        // Host: the daemon.
        .systemLibrary(name: "COpenSSL", path: "Sources/Host/COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        // Two TLS libraries share the names of their functions. Each is imported by one target that does not
        // see the other: Clang would bind calls of one library to the symbols of the other.
        .target(name: "TLSEngine", dependencies: ["Linux"], path: "Sources/Host/TLSEngine"),
        .target(
            name: "TLSBoringSSL", dependencies: ["TLSEngine", "Linux", .product(name: "NIOSSL", package: "swift-nio-ssl")],
            path: "Sources/Host/TLSBoringSSL"),
        .target(name: "TLSOpenSSL", dependencies: ["TLSEngine", "COpenSSL", "Linux"], path: "Sources/Host/TLSOpenSSL"),
        .target(name: "Policy", dependencies: ["SallyportProtocol", "PolicyDocuments", "Linux"], path: "Sources/Host/Policy"),
        .target(
            name: "Identity",
            dependencies: ["SallyportProtocol", "PKI", .product(name: "NIOSSL", package: "swift-nio-ssl"), "Linux"],
            path: "Sources/Host/Identity"),
        .target(
            name: "FlowLog",
            dependencies: ["SallyportProtocol", "FlowFormat", "Prometheus", "Linux", .product(name: "Logging", package: "swift-log")],
            path: "Sources/Host/FlowLog"),
        .target(name: "Prometheus", dependencies: ["Linux", .product(name: "Logging", package: "swift-log")], path: "Sources/Host/Prometheus"),
        .target(name: "ProxyProtocol", dependencies: ["Linux"], path: "Sources/Host/ProxyProtocol"),
        .target(name: "CTimex", path: "Sources/Host/CTimex"),
        .target(name: "CNetfilter", path: "Sources/Host/CNetfilter"),
        .target(name: "CBPF", path: "Sources/Host/CBPF"),
        .target(
            name: "Interception", dependencies: ["CNetfilter", "CBPF", "Linux", .product(name: "Logging", package: "swift-log")],
            path: "Sources/Host/Interception"),
        .target(
            name: "DataPath", dependencies: ["SallyportProtocol", "Policy", "Identity", "TLSEngine", "TLSBoringSSL", "TLSOpenSSL", "ProxyProtocol", "FlowLog", "Linux", .product(name: "SwiftProtobuf", package: "swift-protobuf")],
            path: "Sources/Host/DataPath"),
        .target(
            name: "PluginCarriers",
            dependencies: [
                "SallyportProtocol", "TTRPC", "CSallyportPlugin", "Linux", .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ],
            path: "Sources/Host/PluginCarriers"),
        .target(
            name: "PluginHost",
            dependencies: [
                "SallyportProtocol", "PolicyDocuments", "PluginCarriers", "TTRPC", "CSallyportPlugin", "Linux", "COpenSSL",
                .product(name: "Logging", package: "swift-log"), .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ],
            path: "Sources/Host/PluginHost"),
        .target(
            name: "ControlAPI", dependencies: ["SallyportProtocol", "TTRPC", "Prometheus", "Linux", .product(name: "Logging", package: "swift-log")],
            path: "Sources/Host/ControlAPI"),
        .target(
            name: "Daemon",
            dependencies: [
                "CTimex",
                "Policy", "Identity", "FlowLog", "FlowFormat", "Interception", "DataPath", "PluginHost", "ControlAPI", "Prometheus", "TTRPC",
                "SallyportProtocol", "PolicyDocuments", "Linux", .product(name: "Logging", package: "swift-log"),
            ],
            path: "Sources/Host/Daemon"),
        .executableTarget(
            name: "sallyportd", dependencies: ["Daemon", .product(name: "ArgumentParser", package: "swift-argument-parser")],
            path: "Sources/Host/sallyportd", linkerSettings: programLinking),
        .executableTarget(
            name: "sallyport-plugin-runner", dependencies: ["PluginCarriers", "TTRPC", "CSallyportPlugin", "Linux"],
            path: "Sources/Host/sallyport-plugin-runner", linkerSettings: programLinking),

        // Plugins: PluginKit and Protocol below them, never Host.
        .target(
            name: "PluginKit",
            dependencies: [
                "SallyportProtocol", "TTRPC", "CSallyportPlugin", "Linux", .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ],
            path: "Sources/Plugins/PluginKit"),
        // CLI: Protocol below it.
        .target(
            name: "SallyportCLI",
            dependencies: [
                "SallyportProtocol", "TTRPC", "PolicyDocuments", "FlowFormat", "PKI", "Linux",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Sources/CLI", exclude: ["Entry"]),
        .executableTarget(name: "sallyport", dependencies: ["SallyportCLI"], path: "Sources/CLI/Entry", linkerSettings: programLinking),
        // Benchmarks (docs/performance.md).
        .executableTarget(
            name: "PolicyBenchmark", dependencies: ["Policy", "SallyportProtocol", "Linux"], path: "Benchmarks/Policy"),
    ]
        + plugin("PolicyFile", dependencies: ["PolicyDocuments", "Linux"])
        + plugin("TLSInternalCA", dependencies: ["PKI", "TTRPC", "Linux"])
        + plugin(
            "TLSCustomCertificate",
            dependencies: [
                "PKI", "FlowFormat", "Linux", .product(name: "X509", package: "swift-certificates"), .product(name: "SwiftASN1", package: "swift-asn1"),
                .product(name: "Crypto", package: "swift-crypto"), .product(name: "CryptoExtras", package: "swift-crypto"),
            ])
        + plugin("TLSNone")
        + plugin("LoadBalancerStatic", dependencies: ["TTRPC", "Linux"])
        + plugin("LoadBalancerHAProxy", dependencies: ["Linux"])
        // The example for authors, built with everything so that it stays true.
        + [
            .target(
                name: "NetworksSwift", dependencies: ["PluginKit", "SallyportProtocol", "CSallyportPlugin"], path: "Examples/plugin-swift",
                exclude: ["Package.swift", "README.md", "plugin.map"], linkerSettings: pluginLinking)
        ]
        // Tests: a folder a module.
        + [
            .target(
                name: "Support",
                dependencies: [
                    "Linux", "SallyportProtocol", "PKI", .product(name: "X509", package: "swift-certificates"),
                    .product(name: "SwiftASN1", package: "swift-asn1"), .product(name: "Crypto", package: "swift-crypto"),
                ],
                path: "Tests/Support"),
            tests("Linux", dependencies: ["Linux"]),
            tests("TTRPC", dependencies: ["TTRPC"], exclude: ["Interop"]),
            tests("PolicyDocuments", dependencies: ["PolicyDocuments"]),
            tests("PKI", dependencies: ["PKI", "Linux"]),
            tests("FlowFormat", dependencies: ["FlowFormat"]),
            tests("FlowLog", dependencies: ["FlowLog", "FlowFormat"]),
            tests("Prometheus", dependencies: ["Prometheus"]),
            .target(
                name: "FakeControl", dependencies: ["ControlAPI", "TTRPC", .product(name: "Logging", package: "swift-log")],
                path: "Tests/FakeControl"),
            tests("ControlAPI", dependencies: ["ControlAPI", "FakeControl"]),
            tests("CLI", dependencies: ["SallyportCLI", "FakeControl", "sallyport"]),
            .target(name: "PluginSupport", dependencies: ["PluginKit", "SallyportProtocol"], path: "Tests/PluginSupport"),
            tests("PolicyFile", dependencies: ["PolicyFile", "PluginKit"]),
            tests("PluginKit", dependencies: ["PluginKit", "CSallyportPlugin", "Linux", .product(name: "SwiftProtobuf", package: "swift-protobuf")]),
            tests("PluginCarriers", dependencies: ["PluginCarriers", "PKI", "CSallyportPlugin", "TTRPC", .product(name: "SwiftProtobuf", package: "swift-protobuf")]),
            tests(
                "PluginHost",
                dependencies: ["PluginHost", "SallyportProtocol", "TTRPC", "Linux", .product(name: "Logging", package: "swift-log"), .product(name: "SwiftProtobuf", package: "swift-protobuf")]),
            tests("LoadBalancerStatic", dependencies: ["LoadBalancerStatic", "PluginKit", "PluginSupport", "Linux"]),
            tests(
                "LoadBalancerHAProxy", dependencies: ["LoadBalancerHAProxy", "PluginKit", "PluginSupport", "Linux"], exclude: ["Captures"]),
            tests("TLSInternalCA", dependencies: ["TLSInternalCA", "PluginKit", "PluginSupport", "PKI", "TTRPC", "Linux"]),
            tests("TLSCustomCertificate", dependencies: ["TLSCustomCertificate", "PluginKit", "PluginSupport", "Linux"]),
            tests("TLSNone", dependencies: ["TLSNone", "PluginKit", "PluginSupport", "Linux"]),
            tests("Identity", dependencies: ["Identity", "PKI", "Linux"]),
            tests("Policy", dependencies: ["Policy", "PolicyDocuments"]),
            tests("Interception", dependencies: ["Interception", "CNetfilter"]),
            tests("TLSEngine", dependencies: ["TLSEngine", "TLSBoringSSL", "TLSOpenSSL", "PKI", "Identity"]),
            tests("ProxyProtocol", dependencies: ["ProxyProtocol", "Linux"], exclude: ["Differential"]),
            tests("DataPath", dependencies: ["DataPath", "TLSEngine", "TLSBoringSSL", "SallyportProtocol"]),
            tests("Daemon", dependencies: ["Daemon", "DataPath", "Interception", "SallyportProtocol"]),
            tests("EndToEnd", dependencies: ["FlowFormat", "Linux"]),
            tests("Conformance", dependencies: [.product(name: "SwiftProtobuf", package: "swift-protobuf")]),
        ]
)
