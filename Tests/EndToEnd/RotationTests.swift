// A new root for everybody, step by step as docs/identity.md has it, while a client calls all the time.

import Foundation
import Support
import Testing

@Suite(.enabled(if: Sallyport.isPossible, "needs root, and the programs built: swift build -c release"), .serialized)
struct RotationTests {
    @Test("the root is replaced under load, and no flow fails")
    func rotation() throws {
        let nodes = try TwoNodes()
        let begun = Date()
        let sallyport = nodes.sallyport
        let callers = [try Caller(from: nodes.client, url: TwoNodes.v4), try Caller(from: nodes.client, url: TwoNodes.v6)]
        let enforcers = [nodes.enforcer1, nodes.enforcer2]
        let root = try sallyport.roots()
        let generations = try enforcers.map { try $0.trustGeneration }

        try sallyport.command("ca", "rotate", "--directory", sallyport.authority)
        try nodes.eventually("trusted by both") { try zip(enforcers, generations).allSatisfy { try $0.trustGeneration > $1 } }
        #expect(try sallyport.roots().count == 2)
        for caller in callers { try caller.goesOn() }

        // Not before every enforcer has been renewed.
        let early = try NetworkProgram.run("\(Sallyport.built)/sallyport", ["ca", "retire", "--directory", sallyport.authority], in: nil)
        #expect(early.status != 0 && early.errors.contains("the intermediates of node1, node2 are still of an older root"), "\(early)")

        // A certificate's end is a whole second: one issued in the same second as at the start would look the same.
        try nodes.eventually("a second later") { Date().timeIntervalSince(begun) > 1 }
        for enforcer in enforcers {
            let before = try enforcer.certificateEnds
            try sallyport.command("ca", "enforcer", enforcer.node.name, "--directory", sallyport.authority)
            try nodes.eventually("certified anew") { try enforcer.certificateEnds.allSatisfy { before[$0] != $1 } }
            for caller in callers { try caller.goesOn() }
        }

        let overlapping = try enforcers.map { try $0.trustGeneration }
        try sallyport.command("ca", "retire", "--directory", sallyport.authority)
        try nodes.eventually("trusted alone by both") { try zip(enforcers, overlapping).allSatisfy { try $0.trustGeneration > $1 } }
        #expect(try sallyport.roots().count == 1 && sallyport.roots() != root)
        for caller in callers { try caller.stop() }
        for enforcer in enforcers { #expect(try enforcer.flows().allSatisfy { $0.verdict == "accepted" }) }
    }
}

extension Sallyport {
    /// Fingerprints of the trusted roots.
    fileprivate func roots() throws -> [String] {
        struct Shown: Decodable {
            struct Root: Decodable { let fingerprint: String }
            let roots: [Root]
        }
        return try JSONDecoder().decode(Shown.self, from: Data(command("ca", "show", "--directory", authority, "-o", "json").utf8)).roots.map(\.fingerprint)
    }
}
