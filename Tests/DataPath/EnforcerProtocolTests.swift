// Preface and answer: bounded, whole or not at all.

import DataPath
import SallyportProtocol
import Testing

@Suite struct EnforcerProtocolTests {
    private let preface = Preface.with {
        $0.version = 1
        $0.dialledAddress = .init([10, 96, 0, 10])
        $0.dialledPort = 9376
        $0.service = "/demo/web"
        $0.clientAddress = .init([10, 244, 1, 10])
        $0.clientPort = 40000
        $0.mode = .wrapped
        $0.traceID = .init([UInt8](0..<16))
    }

    private func parse(_ bytes: [UInt8]) -> EnforcerProtocol.Parsed<Preface> {
        bytes.withUnsafeBufferPointer { EnforcerProtocol.parse(Preface.self, $0) }
    }

    @Test("a preface is read back as it was written, and what follows it is left")
    func roundTrip() throws {
        let bytes = try #require(EnforcerProtocol.frame(preface))
        guard case .message(let read, let length) = parse(bytes + [1, 2, 3]) else {
            Issue.record("not read")
            return
        }
        #expect(read == preface)
        #expect(length == bytes.count)
        #expect(EnforcerProtocol.problem(in: read) == nil)
    }

    @Test("a preface cut at any byte is incomplete")
    func truncated() throws {
        let bytes = try #require(EnforcerProtocol.frame(preface))
        for count in 0..<bytes.count {
            guard case .incomplete = parse(Array(bytes[..<count])) else {
                Issue.record("\(count) bytes were taken for a preface")
                return
            }
        }
    }

    @Test("a message over the limit is neither written nor waited for")
    func oversize() {
        #expect(EnforcerProtocol.frame(Preface.with { $0.service = String(repeating: "x", count: 4096) }) == nil)
        guard case .malformed = parse([0x10, 0x01]) else {
            Issue.record("4097 bytes were waited for")
            return
        }
    }

    @Test("garbage in a frame is malformed")
    func garbage() {
        guard case .malformed = parse([0, 3, 0xff, 0xff, 0xff]) else {
            Issue.record("garbage was taken for a preface")
            return
        }
    }

    @Test("each field of a preface that is out of range is named")
    func ranges() {
        let wrong: [(String, (inout Preface) -> Void)] = [
            ("version", { $0.version = 2 }), ("dialled address", { $0.dialledAddress = .init([1, 2, 3]) }),
            ("dialled port", { $0.dialledPort = 0 }), ("dialled port", { $0.dialledPort = 65536 }),
            ("client address", { $0.clientAddress = .init() }), ("client port", { $0.clientPort = 70000 }),
            ("trace id", { $0.traceID = .init([1]) }), ("mode", { $0.mode = .unspecified }), ("mode", { $0.mode = .UNRECOGNIZED(9) }),
        ]
        for (name, change) in wrong {
            var changed = preface
            change(&changed)
            #expect(EnforcerProtocol.problem(in: changed)?.contains(name) == true)
        }
    }
}
