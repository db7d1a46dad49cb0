// The messages inside frames: Request and Response of ttrpc.proto (docs/protocol.md, "Messages").

import FoundationEssentials
import SallyportProtocol
import SwiftProtobuf

extension RPCError {
    /// In the words of the Go implementation, which clients may look for.
    package static func tooLong(_ count: Int, limit: Int) -> RPCError {
        RPCError(.resourceExhausted, "message length \(count) exceed maximum message size of \(limit)")
    }
}

extension Frame {
    /// The answer that ends a call well.
    package static func response(_ stream: UInt32, payload: [UInt8], limit: Int) -> Frame {
        var message = Ttrpc_Response()
        message.payload = Data(payload)
        guard let bytes: [UInt8] = try? message.serializedBytes(), bytes.count <= limit else {
            return response(stream, .tooLong(payload.count, limit: limit))
        }
        return Frame(stream: stream, type: .response, payload: bytes)
    }

    /// The answer that ends a call with an error.
    package static func response(_ stream: UInt32, _ error: RPCError) -> Frame {
        var message = Ttrpc_Response()
        message.status.code = error.code.rawValue
        message.status.message = error.message
        // Serialising fails only past 2 GiB; an empty response would read as success, so say nothing then but the code.
        let bytes: [UInt8] = (try? message.serializedBytes()) ?? [0x0a, 2, 8, UInt8(truncatingIfNeeded: error.code.rawValue)]
        return Frame(stream: stream, type: .response, payload: bytes)
    }
}

extension Ttrpc_Response {
    /// What the call came to.
    package var outcome: Result<[UInt8], RPCError> {
        guard hasStatus, status.code != RPCCode.ok.rawValue else { return .success([UInt8](payload)) }
        return .failure(RPCError(RPCCode(rawValue: status.code) ?? .unknown, status.message))
    }
}

extension Ttrpc_Request {
    package init(service: String, method: String, payload: [UInt8], timeout: Duration?, metadata: [String: String]) {
        self.init()
        self.service = service
        self.method = method
        self.payload = Data(payload)
        if let timeout { timeoutNano = Int64(clamping: timeout.nanoseconds) }
        self.metadata = metadata.sorted { $0.key < $1.key }.map { pair in
            var entry = Ttrpc_KeyValue()
            entry.key = pair.key
            entry.value = pair.value
            return entry
        }
    }

    /// Of several values for one key the last counts.
    package var metadataByKey: [String: String] {
        Dictionary(metadata.map { ($0.key, $0.value) }, uniquingKeysWith: { _, last in last })
    }
}

extension Duration {
    /// Whole nanoseconds; 0 for what is negative, `Int64.max` for what is longer (292 years).
    package var nanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        let (product, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
        let longest = UInt64(Int64.max)
        return overflow || product > longest - 1_000_000_000 ? longest : product + UInt64(attoseconds / 1_000_000_000)
    }
}
