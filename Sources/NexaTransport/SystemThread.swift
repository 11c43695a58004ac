import CNexaSystem
import Glibc

/// A POSIX thread that runs one closure: for work that blocks, which the pool of Swift tasks must not do.
public struct SystemThread: Sendable {
    private let handle: pthread_t

    private final class Start: Sendable {
        let name: String
        let body: @Sendable () -> Void
        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }

    /// Starts a thread. It must be joined or detached exactly once.
    ///
    /// - Parameter name: shown by `top` and debuggers; the system keeps the first 15 bytes.
    public init(name: String, _ body: @escaping @Sendable () -> Void) throws(TransportError) {
        var handle = pthread_t()
        let start = Unmanaged.passRetained(Start(name: name, body: body))
        let result = pthread_create(
            &handle, nil,
            { raw in
                guard let raw else { return nil }
                let start = Unmanaged<Start>.fromOpaque(raw).takeRetainedValue()
                _ = nexa_name_thread(String(decoding: start.name.utf8.prefix(15), as: UTF8.self))
                start.body()
                return nil
            }, start.toOpaque())
        guard result == 0 else {
            start.release()
            throw TransportError("pthread_create", code: result)
        }
        self.handle = handle
    }

    /// Waits for the thread to end.
    public func join() {
        pthread_join(handle, nil)
    }

    /// Lets the thread end on its own.
    public func detach() {
        pthread_detach(handle)
    }
}
