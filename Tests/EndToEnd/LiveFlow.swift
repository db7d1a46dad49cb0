// One connection that stays open, over which a client asks a web server again when it is told to.

import Linux
import Support

final class LiveFlow {
    private let client: NetworkProgram
    private let path: String
    private var asked = 0

    /// Connects, and asks once.
    init(from place: some NetworkPlace, to host: String, port: UInt16) throws {
        let directory = try TemporaryDirectory()
        // Every line of the FIFO is a request; what is answered is counted by its first lines.
        let script = """
            mkfifo "$3/ask"
            exec 3<>"/dev/tcp/$1/$2" 4<>"$3/ask" || exit 7
            { while read -r _ <&4; do printf 'GET / HTTP/1.1\\r\\nHost: web\\r\\n\\r\\n' >&3 || exit; done; } &
            cat <&3
            kill $!
            """
        client = try place.start("bash", ["-c", script, "bash", host, "\(port)", directory.path], keeping: directory)
        path = directory.path + "/ask"
        try client.wait("connected") { access(self.path, F_OK) == 0 }
        guard try asksAgain() == 1 else { throw NetworkError(what: "no answer: \(client.errorsSoFar)") }
    }

    /// Asks once more, and waits for the answer.
    /// - Returns: How many answers have come.
    func asksAgain() throws -> Int {
        // Nobody reads before the client has come so far, nor when it is gone: fifo(7).
        var opened: Descriptor?
        try client.wait("heard") {
            opened = try? Descriptor(opening: path, flags: O_WRONLY | O_NONBLOCK)
            return opened != nil
        }
        guard let ask = opened else { throw NetworkError(what: "\(path) is not open") }
        try syscall("write", path) { write(ask.raw, "ask\n", 4) }
        asked += 1
        try client.wait("was answered") { answers == asked }
        return answers
    }

    private var answers: Int { client.outputSoFar.ranges(of: "HTTP/1.1 200").count }

    /// Waits until the other end has ended it.
    func ended() throws { try eventually("ended") { !client.isRunning } }

    func end() { client.stop() }
}
