// One thread that runs what it is given, in order: for code that must not share a thread with others.

import Synchronization

/// A thread of its own that runs closures and Swift concurrency jobs one after the other.
///
/// As a task executor it keeps code that may block off the shared pool of Swift concurrency, which has
/// only as many threads as there are processors.
public final class SerialThread: SerialExecutor, TaskExecutor, @unchecked Sendable {
    // @unchecked: `ready` is a pointer to a semaphore, which may be used from any thread (sem_overview(7)).
    private enum Work {
        case closure(@Sendable () -> Void)
        case job(UnownedJob)
        case stop
    }

    private let queue = Mutex<[Work]>([])
    private let ready: UnsafeMutablePointer<sem_t>

    /// Starts the thread.
    /// - Parameter name: Shown by ps(1) and debuggers; the kernel keeps the first 15 bytes (prctl(2), PR_SET_NAME).
    /// - Throws: `pthread_create` with EAGAIN when the limit of threads is reached.
    public init(name: String) throws(SystemCallError) {
        ready = .allocate(capacity: 1)
        sem_init(ready, 0, 0)
        var thread = pthread_t()
        let start = Unmanaged.passRetained(Start(owner: self, name: String(name.utf8.prefix(15)) ?? "plugin"))
        let code = pthread_create(
            &thread, nil,
            { argument in
                // Never nil: it is the box passed below.
                let start = Unmanaged<Start>.fromOpaque(argument!).takeRetainedValue()
                pthread_setname_np(pthread_self(), start.name)
                start.owner.loop()
                return nil
            }, start.toOpaque())
        guard code == 0 else {
            start.release()
            throw SystemCallError(call: "pthread_create", errno: code, subject: name)
        }
        pthread_detach(thread)
    }

    deinit {
        sem_destroy(ready)
        ready.deallocate()
    }

    private final class Start: Sendable {
        let owner: SerialThread
        let name: String
        init(owner: SerialThread, name: String) {
            self.owner = owner
            self.name = name
        }
    }

    /// Runs `work` after everything given before.
    public func run(_ work: @escaping @Sendable () -> Void) { add(.closure(work)) }

    /// Ends the thread after everything given before; what is given later never runs.
    public func stop() { add(.stop) }

    public func enqueue(_ job: consuming ExecutorJob) { add(.job(UnownedJob(job))) }

    public func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }

    private func add(_ work: Work) {
        queue.withLock { $0.append(work) }
        sem_post(ready)
    }

    /// Keeps `self` alive until `stop`.
    private func loop() {
        while true {
            sem_wait(ready)
            // One post may stand for several pieces of work: later waits then find the queue empty.
            let batch = queue.withLock { queue in
                let batch = queue
                queue.removeAll(keepingCapacity: batch.count <= 64)
                return batch
            }
            for work in batch {
                switch work {
                case .closure(let body): body()
                case .job(let job): job.runSynchronously(isolatedTo: asUnownedSerialExecutor(), taskExecutor: asUnownedTaskExecutor())
                case .stop: return
                }
            }
        }
    }
}
