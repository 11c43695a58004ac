import NexaTransport
import Synchronization

/// Slows down whoever guesses passwords, by address and by user.
///
/// After five failures the logins of an address are let through one by one, at intervals that double from 100 ms to 2 s;
/// those of a user wait that long, but not for each other, so that a guesser cannot keep the user out. Each minute without
/// a failure halves the count.
///
/// The memory is fixed: a table of 4096 entries. When a place is taken, the entry with fewer failures gives way.
final class LoginThrottle: Sendable {
    /// Failures that cost nothing: people mistype.
    static let freeFailures = 5
    static let shortestDelay: Duration = .milliseconds(100)
    static let longestDelay: Duration = .seconds(2)
    /// A login that would have to wait longer is refused, so that not too many wait.
    static let longestQueue: Duration = .seconds(8)
    static let halfLife: Duration = .seconds(60)
    private static let sets = 1024
    private static let ways = 4

    /// What to do with a login.
    enum Admission: Equatable {
        case now
        case later(Duration)
        case refused
    }

    private struct Entry {
        var key: Int
        var failures: Int
        var last: ContinuousClock.Instant
        /// The next login of an address may start then.
        var next: ContinuousClock.Instant

        mutating func decay(at now: ContinuousClock.Instant) {
            let halves = Int((now - last) / LoginThrottle.halfLife)
            guard halves > 0 else { return }
            failures = halves > 30 ? 0 : failures >> halves
            last += LoginThrottle.halfLife * halves
        }

        var delay: Duration {
            let over = failures - LoginThrottle.freeFailures
            guard over >= 0 else { return .zero }
            return min(LoginThrottle.longestDelay, LoginThrottle.shortestDelay * (1 << min(over, 10)))
        }
    }

    private let entries = Mutex([Entry?](repeating: nil, count: sets * ways))

    /// Whether a login may be checked now.
    func admit(address: SocketAddress?, username: String, at now: ContinuousClock.Instant) -> Admission {
        entries.withLock { entries in
            var wait =
                Self.place(of: Self.key(username), in: entries).map { place -> Duration in
                    entries[place]?.decay(at: now)
                    return entries[place]?.delay ?? .zero
                } ?? .zero
            if let place = Self.key(address).flatMap({ Self.place(of: $0, in: entries) }), var entry = entries[place] {
                entry.decay(at: now)
                let start = max(now, entry.next)
                if entry.delay > .zero {
                    guard start - now <= Self.longestQueue else { return .refused }
                    wait = max(wait, start - now)
                    entry.next = start + entry.delay
                }
                entries[place] = entry
            }
            return wait > .zero ? .later(wait) : .now
        }
    }

    /// A password was wrong.
    func failed(address: SocketAddress?, username: String, at now: ContinuousClock.Instant) {
        entries.withLock { entries in
            for key in [Self.key(address), Self.key(username)] {
                guard let key, let place = Self.place(of: key, orFreeIn: &entries, at: now) else { continue }
                entries[place]?.failures += 1
                entries[place]?.last = now
                if let entry = entries[place] { entries[place]?.next = max(entry.next, now + entry.delay) }
            }
        }
    }

    /// The user knows the password. The address keeps its count: it may have tried others.
    func succeeded(username: String) {
        entries.withLock { entries in
            if let place = Self.place(of: Self.key(username), in: entries) { entries[place] = nil }
        }
    }

    // MARK: The table

    // The hash is seeded for each process, so that nobody can choose names that share a place.
    private static func key(_ username: String) -> Int {
        var hasher = Hasher()
        hasher.combine(1)
        hasher.combine(username)
        return hasher.finalize()
    }

    /// A network of IPv6 counts as one address: whoever has one has 2⁶⁴. `nil` for a Unix socket.
    private static func key(_ address: SocketAddress?) -> Int? {
        guard let network = address?.network else { return nil }
        var hasher = Hasher()
        hasher.combine(2)
        hasher.combine(network)
        return hasher.finalize()
    }

    private static func places(of key: Int) -> Range<Int> {
        let first = Int(UInt(bitPattern: key) % UInt(sets)) * ways
        return first..<first + ways
    }

    private static func place(of key: Int, in entries: [Entry?]) -> Int? {
        places(of: key).first { entries[$0]?.key == key }
    }

    private static func place(
        of key: Int, orFreeIn entries: inout [Entry?], at now: ContinuousClock.Instant
    ) -> Int? {
        if let place = place(of: key, in: entries) {
            entries[place]?.decay(at: now)
            return place
        }
        for place in places(of: key) { entries[place]?.decay(at: now) }
        let place = places(of: key).min { (entries[$0]?.failures ?? -1) < (entries[$1]?.failures ?? -1) }
        if let place { entries[place] = Entry(key: key, failures: 0, last: now, next: now) }
        return place
    }
}
