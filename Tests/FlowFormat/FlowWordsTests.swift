import FlowFormat
import SallyportProtocol
import Testing

struct FlowWordsTests {
    @Test("every reason's word is its name in flow.proto, and reads back")
    func reasons() throws {
        for reason in Sallyport_Flow_V1_Reason.allCases where reason != .none {
            // The protobuf library's JSON knows the names of the .proto file.
            let json = try Sallyport_Flow_V1_Flow.with { $0.reason = reason }.jsonString()
            let name = "REASON_" + reason.word.uppercased().map { $0 == "-" ? "_" : String($0) }.joined()
            #expect(json == "{\"reason\":\"\(name)\"}")
            #expect(Sallyport_Flow_V1_Reason(word: reason.word) == reason)
        }
        #expect(Sallyport_Flow_V1_Reason(word: "none") == Sallyport_Flow_V1_Reason.none)
    }

    @Test("a reason of a newer enforcer is unknown and does no harm", arguments: [-1, Sallyport_Flow_V1_Reason.allCases.count, Int.max, Int.min])
    func newerReason(_ number: Int) {
        #expect(Sallyport_Flow_V1_Reason.UNRECOGNIZED(number).word == "unknown")
        #expect(Sallyport_Flow_V1_Verdict.UNRECOGNIZED(number).word == "unknown")
        #expect(Sallyport_Flow_V1_Encryption.UNRECOGNIZED(number).word == "unknown")
    }

    @Test("a word that is no reason is none", arguments: ["", "Rejected-By-Rule", "rejected", "unknown"])
    func noReason(_ word: String) {
        #expect(Sallyport_Flow_V1_Reason(word: word) == nil)
    }
}
