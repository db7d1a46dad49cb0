import ControlAPI
import FakeControl
import Foundation
import Linux
import SallyportProtocol
import Support
import TTRPC
import Testing

let controlName = "sallyport.control.v1.Control"

struct ControlServerTests {
    @Test("every call of control.proto reaches its method")
    func everyCall() async throws {
        let folder = try TemporaryFolder()
        let fake = FakeControl()
        // The names come from the contract itself, so that a call added there is missed here.
        let proto = try String(contentsOfFile: "Sources/Protocol/proto/sallyport/control/v1/control.proto", encoding: .utf8)
        let names = proto.split(separator: "\n").filter { $0.contains("  rpc ") }.map {
            String($0.drop { $0 == " " }.dropFirst("rpc ".count).prefix { $0 != "(" })
        }
        #expect(names.count >= 12)
        try await withControlServer(at: "\(folder.path)/s", fake) { _ in
            let client = try TTRPCClient(path: "\(folder.path)/s")
            for name in names {
                if proto.contains("rpc \(name)(\(name)Request) returns (stream") {
                    var request = Sallyport_Control_V1_WatchFlowsRequest()
                    request.noFollow = true
                    let stream = try await client.open(
                        service: controlName, method: name, request: name == "WatchFlows" ? request.serializedBytes() : [],
                        timeout: nil)
                    while try await stream.next() != nil {}
                } else {
                    _ = try await client.call(service: controlName, method: name, request: [], timeout: nil)
                }
            }
        }
        #expect(fake.calls == names)
    }

    @Test("twenty thousand services and processing units come in pieces, in their order")
    func pieces() async throws {
        let folder = try TemporaryFolder()
        let tags = (0..<8).map { "app.kubernetes.io/label-\($0)=some-value-\($0)" }
        let fake = FakeControl { answers in
            answers.services = (0..<20_000).map { number in .with { $0.name = "s\(number)"; $0.tags = tags } }
            answers.units = (0..<20_000).map { number in .with { $0.name = "u\(number)"; $0.tags = tags } }
        }
        try await withControlServer(at: "\(folder.path)/s", fake) { _ in
            let client = try TTRPCClient(path: "\(folder.path)/s")
            var names: [String] = []
            for try await piece in try await client.open(
                service: controlName, method: "ListServices", Sallyport_Control_V1_ListServicesRequest(), timeout: nil,
                of: Sallyport_Control_V1_ListServicesResponse.self)
            {
                names += piece.services.map(\.name)
                #expect(try (piece.serializedBytes() as [UInt8]).count < 1 << 20)
            }
            #expect(names == (0..<20_000).map { "s\($0)" })
            var units = 0
            for try await piece in try await client.open(
                service: controlName, method: "ListProcessingUnits", Sallyport_Control_V1_ListProcessingUnitsRequest(), timeout: nil,
                of: Sallyport_Control_V1_ListProcessingUnitsResponse.self)
            {
                for unit in piece.processingUnits {
                    #expect(unit.name == "u\(units)")
                    units += 1
                }
            }
            #expect(units == 20_000)
        }
    }

    @Test("a service's own error reaches the caller as it is")
    func errors() async throws {
        let folder = try TemporaryFolder()
        let fake = FakeControl { $0.failure = RPCError(.notFound, "there is no processing unit /demo/x") }
        try await withControlServer(at: "\(folder.path)/s", fake) { _ in
            let client = try TTRPCClient(path: "\(folder.path)/s")
            await #expect(throws: RPCError(.notFound, "there is no processing unit /demo/x")) {
                try await client.call(service: controlName, method: "Explain", request: [], timeout: nil)
            }
        }
    }

    @Test("a watcher that goes ends its method")
    func watcherGoes() async throws {
        let folder = try TemporaryFolder()
        let fake = FakeControl { $0.flows = [.with { $0.missed = 1 }] }
        try await withControlServer(at: "\(folder.path)/s", fake) { _ in
            let client = try TTRPCClient(path: "\(folder.path)/s")
            let stream = try await client.open(service: controlName, method: "WatchFlows", request: [], timeout: nil)
            _ = try await stream.next()
            await client.close()
            await fake.watchEnded()
        }
    }
}
