// One thread that runs what it is given, in order: for code that must not share a thread with others.

import Synchronization

/// A thread of its own that runs closures and Swift concurrency jobs one after the other.
///
/// As a task executor it keeps code that may block off the shared pool of Swift concurrency, which has
/// only as many threads as there are processors.
public final class SerialThread: SerialExecutor, TaskExecutor {
    private enum Work {
        case closure(@Sendable () -> Void)
        case job(UnownedJob)
        case stop
    }

    private let queue = Mutex<[Work]>([])
    private let ready = Semaphore()

    /// Starts the thread.
    /// - Parameter name: Shown by ps(1) and debuggers; the kernel keeps 15 bytes (prctl(2), PR_SET_NAME).
    /// - Throws: `pthread_create` with EAGAIN when the limit of threads is reached.
    public init(name: String) throws(SystemCallError) {
        try RunningThread(name: name) { [self] in loop() }.detach()
    }

    /// Runs `work` after everything given before.
    public func run(_ work: @escaping @Sendable () -> Void) { add(.closure(work)) }

    /// Ends the thread after everything given before; what is given later never runs.
    public func stop() { add(.stop) }

    public func enqueue(_ job: consuming ExecutorJob) { add(.job(UnownedJob(job))) }

    public func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }

    private func add(_ work: Work) {
        queue.withLock { $0.append(work) }
        ready.post()
    }

    /// Keeps `self` alive until `stop`.
    private func loop() {
        while true {
            ready.wait()
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
