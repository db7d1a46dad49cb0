import Foundation
import Linux
import Support
import Testing

struct ValidateCommandTests {
    private let good = """
        apiVersion: sallyport.dev/v1
        kind: ExternalNetwork
        metadata: {name: office, namespace: /demo}
        spec: {entries: [192.0.2.0/24]}

        """

    @Test("valid documents are counted, in files and folders and from standard input")
    func valid() async throws {
        let folder = try TemporaryFolder()
        try folder.write(good + "---\n" + good.replacingOccurrences(of: "office", with: "home"), to: "a.yaml")
        try folder.write(good.replacingOccurrences(of: "office", with: "lab"), to: "b.yml")
        try folder.write("not a document", to: "notes.txt")
        try folder.write("nor this", to: ".hidden.yaml")
        let outcome = try await sallyport(["validate", folder.path])
        #expect(outcome.output == "3 documents in 2 files are valid\n")
        #expect(outcome.status == 0)
        let piped = try await sallyport(["validate", "-"], input: good)
        #expect(piped.output == "1 documents in 1 files are valid\n")
    }

    @Test("an error has its place, and the exit status says so")
    func invalid() async throws {
        let folder = try TemporaryFolder()
        try folder.write(good.replacingOccurrences(of: "192.0.2.0/24", with: "192.0.2.1/24"), to: "a.yaml")
        let outcome = try await sallyport(["validate", "\(folder.path)/a.yaml"])
        #expect(outcome.status == 1)
        #expect(outcome.output.hasPrefix("\(folder.path)/a.yaml:4:"))
        #expect(outcome.output.contains("spec.entries"))
        let problems = try json(await sallyport(["validate", "-o", "json", "\(folder.path)/a.yaml"]).output) as? [[String: Any]]
        #expect(problems?.first?["severity"] as? String == "error")
    }

    @Test("a document that two files define is an error in the second")
    func duplicate() async throws {
        let folder = try TemporaryFolder()
        try folder.write(good, to: "a.yaml")
        try folder.write(good, to: "b.yaml")
        let outcome = try await sallyport(["validate", folder.path])
        #expect(outcome.status == 1)
        #expect(
            outcome.output
                == "\(folder.path)/b.yaml:1:1: metadata.name: ExternalNetwork /demo/office is already defined in \(folder.path)/a.yaml:1; remove one of the two\n")
    }

    @Test("a file that is not there is named")
    func missing() async throws {
        let outcome = try await sallyport(["validate", "/no/such/file.yaml"])
        #expect(outcome.status == 2)
        #expect(outcome.errors.contains("/no/such/file.yaml"))
    }
}
