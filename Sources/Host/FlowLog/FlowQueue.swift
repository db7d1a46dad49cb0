// Between the worker threads and the log's thread: batches of records under a short lock, bounded.

import Linux

/// What the log's thread takes at once.
struct FlowQueueWork {
    var batches: [[FlowRecord]] = []
    /// Records turned away since the last time.
    var dropped: UInt64 = 0
    var reopen = false
    var stop = false
    /// Handed back by `finish`, for those who wait in `flush`.
    var ticket: UInt64 = 0
}

final class FlowQueue: @unchecked Sendable {  // safe: everything below is read and written only while `lock` is held
    /// How long the log's thread lets records gather, in nanoseconds: a wake-up costs the worker a system
    /// call, and someone who watches the flows does not see a fiftieth of a second.
    private static let gather: Int64 = 20_000_000
    /// As many records end the gathering.
    private static let enough = 1024

    private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let arrived = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private let finished = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private let capacity: Int

    private var waiting = FlowQueueWork()
    private var count = 0
    private var isUrgent = false
    private var isStopped = false
    private var givenTickets: UInt64 = 0
    private var finishedTickets: UInt64 = 0

    init(capacity: Int) {
        self.capacity = capacity
        pthread_mutex_init(lock, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(arrived, &attributes)
        pthread_cond_init(finished, nil)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(finished)
        pthread_cond_destroy(arrived)
        pthread_mutex_destroy(lock)
        finished.deallocate()
        arrived.deallocate()
        lock.deallocate()
    }

    /// Hands `batch` over, whole or, when there is no room for it, not at all.
    func append(_ batch: consuming [FlowRecord]) {
        let added = batch.count
        guard added > 0 else { return }
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        guard !isStopped, count + added <= capacity else {
            waiting.dropped += UInt64(added)
            return
        }
        let before = count
        count += added
        waiting.batches.append(batch)
        // The log's thread waits only for the first record and for enough of them.
        if before == 0 || (before < FlowQueue.enough && count >= FlowQueue.enough) { pthread_cond_signal(arrived) }
    }

    func requestReopen() {
        pthread_mutex_lock(lock)
        waiting.reopen = true
        isUrgent = true
        pthread_cond_signal(arrived)
        pthread_mutex_unlock(lock)
    }

    /// Waits until everything appended before has been dealt with.
    func flush() {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        guard !isStopped else { return }
        givenTickets += 1
        let mine = givenTickets
        isUrgent = true
        pthread_cond_signal(arrived)
        while finishedTickets < mine { pthread_cond_wait(finished, lock) }
    }

    /// The next `take` is the last.
    /// - Returns: False if it had been stopped before.
    func stop() -> Bool {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        if isStopped { return false }
        isStopped = true
        isUrgent = true
        pthread_cond_signal(arrived)
        return true
    }

    /// Waits for something to do. Only the log's thread calls it.
    func take() -> FlowQueueWork {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        while count == 0 && !isUrgent { pthread_cond_wait(arrived, lock) }
        if !isUrgent && count < FlowQueue.enough {
            var until = timespec()
            clock_gettime(CLOCK_MONOTONIC, &until)
            let nanoseconds = Int64(until.tv_nsec) + FlowQueue.gather
            until.tv_sec += Int(nanoseconds / 1_000_000_000)
            until.tv_nsec = Int(nanoseconds % 1_000_000_000)
            while !isUrgent && count < FlowQueue.enough {
                if pthread_cond_timedwait(arrived, lock, &until) == ETIMEDOUT { break }
            }
        }
        var work = FlowQueueWork()
        swap(&work, &waiting)
        work.stop = isStopped
        work.ticket = givenTickets
        count = 0
        isUrgent = isStopped
        return work
    }

    /// Lets those go who wait for what `work` held.
    func finish(_ ticket: UInt64) {
        pthread_mutex_lock(lock)
        finishedTickets = ticket
        pthread_cond_broadcast(finished)
        pthread_mutex_unlock(lock)
    }
}
