import Foundation
import PKI
import Support
import Testing

@Suite("sallyport ca")
struct CACommandTests {
    let folder: TemporaryFolder
    let directory: String

    init() throws {
        folder = try TemporaryFolder()
        directory = folder.path + "/ca"
    }

    func ca(_ arguments: String...) async throws -> Outcome { try await sallyport(["ca"] + arguments + ["--directory", directory]) }

    @Test("a CA is made, gives an enforcer its folder, and shows both")
    func making() async throws {
        let made = try await ca("init", "--trust-domain", "test.example")
        #expect(made.status == 0 && made.errors.isEmpty)
        #expect(made.output.hasPrefix("made a CA for test.example in \(directory)\nnext: "))
        let enforcer = try await ca("enforcer", "node-1", "--namespace", "/acme", "--namespace", "/x/y")
        #expect(enforcer.status == 0)
        #expect(enforcer.output.hasPrefix("node-1 may speak for /acme /x/y until "))
        #expect(try EnforcerFolder(reading: directory + "/enforcers/node-1").authority.facts.namespaces.count == 2)
        let shown = try await ca("show")
        for expected in ["trust domain test.example", "node-1", "/acme /x/y"] { #expect(shown.output.contains(expected), "\(shown.output)") }
    }

    @Test("a rotation says at each step what comes next, and cannot be ended too soon")
    func rotation() async throws {
        _ = try await ca("init", "--trust-domain", "test.example")
        _ = try await ca("enforcer", "node-1")
        #expect(try await ca("rotate").output.hasPrefix("2 roots are trusted; "))
        #expect(try await ca("show").output.contains("of an older root: renew it"))
        let early = try await ca("retire")
        #expect(early.status == 2 && early.output.isEmpty)
        #expect(early.errors.hasPrefix("sallyport: the intermediates of node-1 are still of an older root"))
        _ = try await ca("enforcer", "node-1")
        #expect(try await ca("retire").output.hasPrefix("only the root "))
    }

    @Test("the bundle for external clients is printed from the CA's folder and from a node's, and of an older folder it says what to do")
    func bundle() async throws {
        _ = try await ca("init", "--trust-domain", "test.example")
        _ = try await ca("enforcer", "node-1")
        let bundle = try await ca("bundle")
        #expect(bundle.status == 0 && bundle.output.ranges(of: "BEGIN CERTIFICATE").count == 1)
        #expect(try await sallyport(["ca", "bundle", "--directory", directory + "/enforcers/node-1"]).output == bundle.output)
        #expect(try bundle.output != folder.read("ca/trust.pem"))
        _ = try await ca("rotate")
        #expect(try await ca("bundle").output.hasSuffix(bundle.output))
        #expect(try await ca("bundle").output.ranges(of: "BEGIN CERTIFICATE").count == 2)
        #expect(try await ca("show").output.contains("ROOT OF PUBLIC PORTS"))
        for name in ["service-root.pem", "service-root.key", "service-trust.pem"] { try FileManager.default.removeItem(atPath: "\(directory)/\(name)") }
        let older = try await ca("bundle")
        #expect(older.status == 2 && older.errors.contains("holds no CA for public ports") && older.errors.contains("`sallyport ca enforcer NAME`"))
    }

    @Test("every command prints the CA as JSON with -o json")
    func asJSON() async throws {
        for arguments in [
            ["init", "--trust-domain", "test.example"], ["enforcer", "node-1", "--namespace", "/acme"], ["show"], ["rotate"], ["retire", "--force"],
        ] {
            let outcome = try await sallyport(["ca"] + arguments + ["--directory", directory, "-o", "json"])
            let object = try #require(try json(outcome.output) as? [String: Any], "\(arguments)")
            #expect(object["trustDomain"] as? String == "test.example")
            for roots in ["roots", "serviceRoots"] {
                #expect((object[roots] as? [[String: Any]])?.count == (arguments == ["rotate"] ? 2 : 1))
            }
            if arguments[0] != "init" {
                let enforcer = try #require((object["enforcers"] as? [[String: Any]])?.first)
                #expect(enforcer["namespaces"] as? [String] == ["/acme"])
                #expect((enforcer["notAfter"] as? String)?.hasSuffix("Z") == true)
            }
        }
    }

    @Test("what is refused is one sentence on standard error, and exit status 2")
    func refusals() async throws {
        for arguments in [["show"], ["enforcer", "node"], ["rotate"], ["retire"], ["init", "--trust-domain", "Not One"]] {
            let outcome = try await sallyport(["ca"] + arguments + ["--directory", directory])
            #expect(outcome.status == 2 && outcome.output.isEmpty, "\(arguments)")
            #expect(outcome.errors.hasPrefix("sallyport: ") && outcome.errors.split(separator: "\n").count == 1, "\(outcome.errors)")
        }
        _ = try await ca("init", "--trust-domain", "test.example")
        #expect(try await ca("init", "--trust-domain", "test.example").errors.contains("there is a CA here already"))
        #expect(try await ca("enforcer", "../x").status == 2)
        #expect(try await ca("enforcer", "node", "--namespace", "acme").errors.contains("not a namespace path"))
    }
}
