// Pieces of Interception that need no kernel.

import Interception
import Linux
import Testing

struct ElementsTests {
    @Test("blocks of one port that lie in another are left out, of other ports and families they are kept")
    func overlaps() {
        let elements = TableElements(
            frontends: frontends(
                "10.0.0.0/8:80", "10.1.0.0/16:80", "10.1.2.3:80", "10.1.0.0/16:81", "11.0.0.1:80", "0.0.0.0/0:443", "10.0.0.1:443",
                "[::/0]:80", "[fd00::/64]:80", "[::/0]:443"),
            servedPorts: [])
        #expect(elements.frontends == frontends(
            "10.0.0.0/8:80", "10.1.0.0/16:81", "11.0.0.1:80", "0.0.0.0/0:443", "[::/0]:80", "[::/0]:443"))
    }

    @Test("marks must differ and lie within their mask")
    func marks() {
        #expect(ConnectionMarks(mask: 0x30, outgoing: 0x10, application: 0x20) != nil)
        for (mask, outgoing, application) in [(0x30, 0x10, 0x10), (0x30, 0, 0x10), (0x30, 0x10, 0), (0x10, 0x10, 0x20)] as [(UInt32, UInt32, UInt32)] {
            #expect(ConnectionMarks(mask: mask, outgoing: outgoing, application: application) == nil)
        }
    }

    /// -EPERM for message 7 with the words "no", and an acknowledgement of message 8.
    private let answers: [UInt8] =
        [48, 0, 0, 0, 2, 0, 0, 2, 0, 0, 0, 0, 1, 0, 0, 0] + [0xff, 0xff, 0xff, 0xff]
        + [36, 0, 0, 0, 0, 10, 5, 6, 7, 0, 0, 0, 0, 0, 0, 0] + [8, 0, 2, 0, 20, 0, 0, 0] + [7, 0, 1, 0, 110, 111, 0, 0]
        + [36, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0] + [0, 0, 0, 0] + [20, 0, 0, 0, 0, 10, 5, 6, 8, 0, 0, 0, 0, 0, 0, 0]

    @Test("the kernel's answers are read one after another, with its words")
    func answer() {
        var answers = [UInt8](self.answers)
        answers[0] = 52
        var rest = answers[...]
        let refusal = NetlinkAnswer(consuming: &rest)
        #expect(refusal?.errno == EPERM)
        #expect(refusal?.sequence == 7)
        #expect(refusal?.words == "no")
        let acknowledgement = NetlinkAnswer(consuming: &rest)
        #expect(acknowledgement?.errno == 0)
        #expect(acknowledgement?.sequence == 8)
        #expect(NetlinkAnswer(consuming: &rest) == nil)
    }

    @Test("an answer that is cut off anywhere, or lies about its length, ends the reading")
    func cutAnswers() {
        for count in 0..<answers.count {
            var rest = answers.prefix(count)
            var read = 0
            while NetlinkAnswer(consuming: &rest) != nil { read += 1 }
            #expect(read <= 1 && rest.isEmpty)
        }
        for lie in [0, 4, 35, 255] as [UInt8] {
            var answers = answers
            answers[0] = lie
            var rest = answers[...]
            while NetlinkAnswer(consuming: &rest) != nil {}
            #expect(rest.isEmpty)
        }
    }
}
