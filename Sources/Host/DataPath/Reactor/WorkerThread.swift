// A thread for each worker: no executor shares it, so nothing else can hold it up.

import FlowLog
import Linux

/// Starts a detached thread that runs `body`; its name shows in ps(1) and top(1).
func startThread(named name: String, _ body: @escaping @Sendable () -> Void) throws(SystemCallError) {
    final class Body: Sendable {
        let name: String
        let run: @Sendable () -> Void
        init(_ name: String, _ run: @escaping @Sendable () -> Void) {
            self.name = name
            self.run = run
        }
    }
    let boxed = Unmanaged.passRetained(Body(name, body))
    var thread = pthread_t()
    let code = pthread_create(&thread, nil, { pointer in
        guard let pointer else { return nil }
        let body = Unmanaged<Body>.fromOpaque(pointer).takeRetainedValue()
        // At most 15 bytes; pthread_setname_np(3).
        pthread_setname_np(pthread_self(), String(body.name.prefix(15)))
        body.run()
        return nil
    }, boxed.toOpaque())
    if code != 0 {
        boxed.release()
        throw SystemCallError(call: "pthread_create", errno: code, subject: name)
    }
    pthread_detach(thread)
}
