// swift-tools-version: 6.2
import PackageDescription

// A plugin outside of Sallyport's own package. Copy this directory, and name where Sallyport's sources are.
let package = Package(
    name: "networks-swift",
    products: [.library(name: "networks-swift", type: .dynamic, targets: ["NetworksSwift"])],
    dependencies: [.package(name: "sallyport", path: "../..")],
    targets: [
        .target(
            name: "NetworksSwift",
            dependencies: [.product(name: "PluginKit", package: "sallyport")],
            path: ".",
            exclude: ["README.md", "plugin.map"],
            sources: ["Networks.swift", "Entry.swift"],
            // Only the entry is exported (docs/plugin-abi.md, section 3).
            linkerSettings: [.unsafeFlags(["-Xlinker", "--version-script=plugin.map", "-Xlinker", "-Bsymbolic"])])
    ]
)
