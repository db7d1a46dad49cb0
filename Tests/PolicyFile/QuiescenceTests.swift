// When the files are looked at, on a clock made of numbers.

import PolicyFile
import Testing

@Suite struct QuiescenceTests {
    private let ms: UInt64 = 1_000_000

    @Test("nothing happened: nothing to wait for")
    func nothing() { #expect(Quiescence().wait(at: 5, isBeingWritten: false) == nil) }

    @Test("each event starts the pause anew, up to the end of patience")
    func pause() {
        var quiescence = Quiescence()
        for time in stride(from: 0, to: 1960, by: 40) {
            quiescence.happened(at: UInt64(time) * ms)
            #expect(quiescence.wait(at: UInt64(time) * ms, isBeingWritten: false) == 50 * ms)
        }
        quiescence.happened(at: 1960 * ms)
        #expect(quiescence.wait(at: 1960 * ms, isBeingWritten: false) == 40 * ms)
        #expect(!quiescence.isOutOfPatience(at: 1999 * ms) && quiescence.isOutOfPatience(at: 2000 * ms))
        #expect(quiescence.wait(at: 3000 * ms, isBeingWritten: false) == 0)
        quiescence.looked()
        #expect(quiescence.wait(at: 3000 * ms, isBeingWritten: false) == nil)
    }

    @Test("a writer that has not closed its file is waited for, but not for ever")
    func writers() {
        var quiescence = Quiescence()
        quiescence.happened(at: 0)
        #expect(quiescence.wait(at: 60 * ms, isBeingWritten: true) == 9940 * ms)
        #expect(quiescence.wait(at: 60 * ms, isBeingWritten: false) == 0)
        #expect(quiescence.wait(at: 10_000 * ms, isBeingWritten: true) == 0)
    }

    @Test("a look that is asked for needs no pause")
    func atOnce() {
        var quiescence = Quiescence()
        quiescence.atOnce(from: 7000 * ms)
        #expect(quiescence.wait(at: 7000 * ms, isBeingWritten: false) == 0)
    }
}
