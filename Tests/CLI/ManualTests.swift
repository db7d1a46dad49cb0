import Foundation
import Linux
import Support
import Testing

@Suite(.enabled(if: access("/usr/bin/jq", X_OK) == 0, "needs jq"))
struct ManualTests {
    @Test("the manual pages are those that the command's own help makes")
    func upToDate() async throws {
        let folder = try TemporaryFolder()
        let outcome = try await sallyport(
            [folder.path], environment: ["BUILT": String(sallyportPath.dropLast("/sallyport".count))], through: ["/bin/sh"], program: "scripts/man")
        #expect(outcome.errors == "")
        let made = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        #expect(made == (try FileManager.default.contentsOfDirectory(atPath: "docs/man").sorted()), "run scripts/man")
        for page in made {
            #expect(
                try String(contentsOfFile: "\(folder.path)/\(page)", encoding: .utf8) == String(contentsOfFile: "docs/man/\(page)", encoding: .utf8),
                "run scripts/man")
        }
    }
}
