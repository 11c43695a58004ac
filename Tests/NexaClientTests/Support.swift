import Foundation
import Glibc
import NexaTransport
import NexaValue
import Synchronization

/// A value that is set once and can be waited for.
final class Promise<Value: Sendable>: Sendable {
    private let state = Mutex<(value: Value?, waiters: [CheckedContinuation<Value, Never>])>((nil, []))

    func fulfil(_ value: Value) {
        let waiters = state.withLock { state -> [CheckedContinuation<Value, Never>] in
            guard state.value == nil else { return [] }
            state.value = value
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume(returning: value) }
    }

    var value: Value {
        get async {
            await withCheckedContinuation { continuation in
                let value = state.withLock { state -> Value? in
                    if state.value == nil { state.waiters.append(continuation) }
                    return state.value
                }
                if let value { continuation.resume(returning: value) }
            }
        }
    }
}

/// A number that tasks count up together.
final class Counter: Sendable {
    private let count = Mutex(0)
    var value: Int { count.withLock { $0 } }
    func next() -> Int {
        count.withLock {
            $0 += 1
            return $0
        }
    }
}

/// Sockets, epolls and eventfds that this process has open.
func openDescriptors() -> Int {
    guard let handle = opendir("/proc/self/fd") else { return -1 }
    defer { closedir(handle) }
    var count = 0
    while let entry = readdir(handle) {
        let name = withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        var target = [CChar](repeating: 0, count: 256)
        let length = readlink("/proc/self/fd/\(name)", &target, 255)
        guard length > 0 else { continue }
        let text = String(decoding: target.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        if text.hasPrefix("socket:") || text.hasPrefix("anon_inode:[event") { count += 1 }
    }
    return count
}

/// How many threads of this process have this name.
func threadCount(named name: String) -> Int {
    let tasks = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task")) ?? []
    return tasks.count { task in
        (try? String(contentsOfFile: "/proc/self/task/\(task)/comm", encoding: .utf8)) == name + "\n"
    }
}

/// As `openDescriptors`, after the runtime has opened what it needs for timers and keeps open from then on.
func settledDescriptors() async -> Int {
    try? await Task.sleep(for: .milliseconds(1))
    return openDescriptors()
}

enum MessagePackFields {
    static func int(_ key: String, _ payload: [UInt8]) throws -> Int64 {
        try MessagePack.decodeDocument(payload)[key]?.int ?? -1
    }
}
