// The service of the Go implementation's integration tests, whose captured exchanges are our vectors.

import TTRPC

/// A protobuf message of small numbers and byte strings, enough for the vectors' messages.
struct TinyMessage: Equatable {
    var numbers: [UInt8: UInt8] = [:]
    var strings: [UInt8: [UInt8]] = [:]

    init(numbers: [UInt8: UInt8] = [:], strings: [UInt8: [UInt8]] = [:]) {
        self.numbers = numbers
        self.strings = strings
    }

    init(_ bytes: [UInt8]) throws(RPCError) {
        var rest = bytes[...]
        while let tag = rest.popFirst() {
            guard let value = rest.popFirst(), value < 128 else { throw RPCError(.internal, "no tiny message") }
            if tag & 7 == 0 {
                numbers[tag >> 3] = value
            } else {
                strings[tag >> 3] = Array(rest.prefix(Int(value)))
                rest = rest.dropFirst(Int(value))
            }
        }
    }

    var bytes: [UInt8] {
        numbers.filter { $0.value != 0 }.sorted { $0.key < $1.key }.flatMap { [$0.key << 3, $0.value] }
            + strings.sorted { $0.key < $1.key }.flatMap { [$0.key << 3 | 2, UInt8($0.value.count)] + $0.value }
    }

    /// `EchoPayload{seq=1, msg=2}` with the next sequence number.
    var echoed: TinyMessage {
        var next = self
        next.numbers[1, default: 0] += 1
        return next
    }
}

let streamingService = "ttrpc.integration.streaming.Streaming"

/// `Echo`, `EchoStream`, `DivideStream`, `SumStream` as in ttrpc's integration/streaming; `Wait` ends when cancelled.
func streamingRouter(onCancel: Signal? = nil) -> RPCRouter {
    var router = RPCRouter()
    router.add(service: streamingService, method: "Echo", .unary { request, _ in try TinyMessage(request).echoed.bytes })
    router.add(service: streamingService, method: "EchoStream", .bidirectional { receiver, _, sender in
        while let message = try await receiver.next() { try await sender.send(TinyMessage(message).echoed.bytes) }
    })
    // Sum{sum=1, num=2} in, Part{add=1} out.
    router.add(service: streamingService, method: "DivideStream", .serverStream { request, _, sender in
        let sum = try TinyMessage(request).numbers
        guard let total = sum[1], let count = sum[2], count > 0 else { return }
        for _ in 0..<count { try await sender.send(TinyMessage(numbers: [1: total / count]).bytes) }
    })
    router.add(service: streamingService, method: "SumStream", .clientStream { receiver, _ in
        var sum: UInt8 = 0
        var count: UInt8 = 0
        while let part = try await receiver.next() {
            sum += try TinyMessage(part).numbers[1] ?? 0
            count += 1
        }
        return TinyMessage(numbers: [1: sum, 2: count]).bytes
    })
    router.add(service: streamingService, method: "Wait", .unary { _, _ in
        await Signal.untilCancelled()
        onCancel?.set()
        return []
    })
    return router
}
