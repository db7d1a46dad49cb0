// Once released, a field, value or method keeps its number, name and type (Sources/Protocol/released.binpb, scripts/freeze).

import Foundation
import Support
import SwiftProtobuf
import Testing

struct ReleasedProtocolTests {
    private typealias Files = Google_Protobuf_FileDescriptorSet

    private func released() throws -> Files {
        try Files(serializedBytes: Data(contentsOf: repository.appending(path: "Sources/Protocol/released.binpb")))
    }

    @Test(
        "the protocol as it is breaks nobody who was built with a release",
        .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/protoc"), "needs protobuf-compiler (scripts/packages)"))
    func compatible() async throws {
        let folder = try TemporaryFolder()
        let protos = repository.appending(path: "Sources/Protocol/proto").path
        let files = try files(below: "Sources/Protocol/proto", ending: ".proto").map(\.path)
        try await runProgram(["/usr/bin/protoc", "-I", protos, "--descriptor_set_out=\(folder.path)/now"] + files)
        let now = try Files(serializedBytes: Data(contentsOf: URL(filePath: "\(folder.path)/now")))
        let (before, after) = (ProtocolShape(try released()), ProtocolShape(now))
        #expect(before.fields.count > 50)
        #expect(before.broken(by: after) == [])
    }

    /// Each a change to the first field, value or method of a release, and what must be said of it.
    @Test("what would break somebody is seen: each kind of change")
    func breaking() throws {
        let released = try released()
        let index = try #require(released.file.firstIndex { $0.name == "sallyport/policy/v1/policy.proto" })
        let service = try #require(released.file.firstIndex { !$0.service.isEmpty })
        func found(_ change: (inout Files) -> Void) -> [String] {
            var changed = released
            change(&changed)
            return ProtocolShape(released).broken(by: ProtocolShape(changed))
        }
        #expect(found { _ in } == [])
        let message = try #require(released.file[index].messageType.firstIndex { !$0.field.isEmpty })
        let number = released.file[index].messageType[message].field[0].number
        #expect(found { $0.file[index].messageType[message].field[0].type = .sfixed64 }.count == 1)
        #expect(found { $0.file[index].messageType[message].field[0].label = .required }.count == 1)
        #expect(found { $0.file[index].messageType[message].field[0].name = "other" }.count == 1)
        #expect(found { $0.file[index].messageType[message].field[0].number = 9999 }.count == 1)
        #expect(found { $0.file[index].messageType[message].field.removeFirst() }.count == 1)
        // Removed in the way that is allowed.
        #expect(
            found {
                $0.file[index].messageType[message].field.removeFirst()
                $0.file[index].messageType[message].reservedRange.append(.with { $0.start = number; $0.end = number + 1 })
            } == [])
        #expect(found { $0.file[index].messageType[message].name = "Other" }.count >= 1)
        #expect(found { $0.file[index].enumType[0].value[0].name = "OTHER" }.count == 1)
        #expect(found { $0.file[index].enumType[0].value.removeLast() }.count == 1)
        #expect(found { $0.file[service].service[0].method[0].serverStreaming.toggle() }.count == 1)
        #expect(found { $0.file[service].service[0].method.removeFirst() }.count == 1)
        // What is new breaks nobody.
        #expect(found { $0.file[index].messageType[message].field.append(.with { $0.name = "new"; $0.number = 9999 }) } == [])
    }

    @Test("a number that a release reserved is not used again")
    func reserved() throws {
        var before = try released()
        let index = try #require(before.file.firstIndex { $0.name == "sallyport/policy/v1/policy.proto" })
        let message = try #require(before.file[index].messageType.firstIndex { !$0.field.isEmpty })
        var after = before
        before.file[index].messageType[message].reservedRange.append(.with { $0.start = 9999; $0.end = 10000 })
        #expect(ProtocolShape(before).broken(by: ProtocolShape(after)).count == 1)
        after.file[index].messageType[message].field.append(.with { $0.name = "again"; $0.number = 9999 })
        #expect(ProtocolShape(before).broken(by: ProtocolShape(after)).count == 1)
    }
}
