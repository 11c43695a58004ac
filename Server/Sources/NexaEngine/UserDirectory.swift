import NexaSCRAM
import NexaStorage
import NexaValue
import Synchronization

/// The users in the catalog, and what was found out about their passwords.
final class UserDirectory: Sendable {
    struct Entry {
        var record: UserRecord
        /// The last right password, while the record has not changed.
        var verified: VerifiedPassword?
        /// Differs between users of the same name.
        var incarnation: UInt64
        /// Differs between passwords of the same user.
        var passwordVersion: UInt64
        /// When keys were last used, by prefix; since the start.
        var keyUses: [String: Double] = [:]

        func login(_ credential: UserLogin.Credential) -> UserLogin {
            UserLogin(user: record.user, credential: credential, incarnation: incarnation)
        }
    }

    struct State {
        var entries: [String: Entry]
        var lastSerial: UInt64 = 0

        mutating func nextSerial() -> UInt64 {
            lastSerial += 1
            return lastSerial
        }
    }

    let store: Store
    private let loginSecret: [UInt8]
    let state: Monitor<State>
    /// Held by whoever changes a record, from reading the old one until the new one is stored.
    let changing = Monitor(false)
    /// Counts the changes that logged-in sessions have to look at.
    let generation = Atomic<UInt64>(0)
    /// Called after each of these changes.
    let onChange: @Sendable () -> Void
    /// Slow verifications at a time: each takes 19 MiB and a core. Always the same for one user, so that of a
    /// thousand connections that log in at once the first pays and the others find the result.
    private let slots = (0..<4).map { _ in Monitor(false) }

    init(_ store: Store, _ records: [UserRecord], loginSecret: [UInt8], onChange: @escaping @Sendable () -> Void) {
        self.store = store
        self.loginSecret = loginSecret
        self.onChange = onChange
        var state = State(entries: [:])
        for record in records {
            let serial = state.nextSerial()
            state.entries[record.user.name] = Entry(record: record, incarnation: serial, passwordVersion: serial)
        }
        self.state = Monitor(state)
    }

    func user(_ name: String) -> User? { state.withLock { $0.entries[name]?.record.user } }

    /// All users, by name.
    var all: [User] { state.withLock { $0.entries.values.map(\.record.user) }.sorted { $0.name < $1.name } }

    /// What administrators see, by name.
    var descriptions: [UserDescription] {
        let records = state.withLock { $0.entries.values.map(\.record) }
        return records.sorted { $0.user.name < $1.user.name }.map { record in
            UserDescription(
                user: record.user, keyPrefixes: record.keys.map(\.prefix),
                createdAt: WallClock.seconds(of: record.createdAt) ?? 0, lastLogin: record.lastLogin,
                passwordChangedAt: record.passwordChangedAt)
        }
    }

    /// The login as it is now; `nil` when it has ended.
    func current(_ login: UserLogin) -> UserLogin? {
        state.withLock { state in
            guard let entry = state.entries[login.user.name], entry.incarnation == login.incarnation else { return nil }
            switch login.credential {
            case .password(let version) where version != entry.passwordVersion: return nil
            case .key(let prefix) where !entry.record.keys.contains { $0.prefix == prefix }: return nil
            default: return entry.login(login.credential)
            }
        }
    }

    // MARK: Logging in

    /// A user whom the system vouches for.
    func trusted(_ name: String) -> UserLogin? { state.withLock { $0.entries[name]?.login(.peer) } }

    /// Compares with the API keys and the last right password only; `nil` decides nothing.
    func logInFast(_ name: String, _ password: String) -> UserLogin? {
        guard password.utf8.count <= PasswordHash.maximumPasswordByteCount else { return nil }
        // Hashed before the look-up, for unknown users too, so that the time says nothing.
        let keyHash = APIKeyRecord.hash(of: password)
        guard let given = VerifiedPassword(password) else { return nil }
        return state.withLock { state in
            guard let entry = state.entries[name] else { return nil }
            if let keyHash, let key = entry.record.keys.first(where: { ConstantTime.equal($0.hash, keyHash) }) {
                return entry.login(.key(prefix: key.prefix))
            }
            guard let verified = entry.verified, verified.matches(given) else { return nil }
            return entry.login(.password(version: entry.passwordVersion))
        }
    }

    /// Checks a password; some 25 ms. The same work is done for users who do not exist.
    func logIn(_ name: String, _ password: String) -> UserLogin? {
        guard password.utf8.count <= PasswordHash.maximumPasswordByteCount else { return nil }
        return slots[Int(bitPattern: name.hashValue.magnitude) & 3].withLock { _ in
            if let login = logInFast(name, password) { return login }
            let record = state.withLock { $0.entries[name]?.record }
            let isRight = (record?.passwordHash ?? .decoy).matches(password)
            guard let record, isRight else { return nil }
            let verified = VerifiedPassword(password)
            let login = state.withLock { state -> UserLogin? in
                // Only if nobody changed the password meanwhile.
                guard let entry = state.entries[name], entry.record.passwordHash == record.passwordHash else {
                    return nil
                }
                state.entries[name]?.verified = verified
                return entry.login(.password(version: entry.passwordVersion))
            }
            if login != nil, record.scram == nil { addVerifier(to: record, password) }
            return login
        }
    }

    // MARK: SCRAM

    /// What a login is checked against: the password's verifier, and those of the API keys with the same salt.
    ///
    /// For an unknown name a decoy that always looks the same; `nil` for a known one without a verifier.
    func scramVerifiers(_ name: String) -> [ScramVerifier]? {
        // Made for known users too, so that the time says nothing.
        let decoy = ScramVerifier.decoy(for: name, secret: loginSecret)
        return state.withLock { state in
            guard let record = state.entries[name]?.record else { return [decoy] }
            guard let password = record.scram else { return nil }
            return [password]
                + record.keys.map(\.scram).filter {
                    $0.salt == password.salt && $0.iterations == password.iterations
                }
        }
    }

    func logIn(_ name: String, provenFor verifier: ScramVerifier) -> UserLogin? {
        state.withLock { state in
            guard let entry = state.entries[name] else { return nil }
            if entry.record.scram == verifier { return entry.login(.password(version: entry.passwordVersion)) }
            return entry.record.keys.first { $0.scram == verifier }.map { entry.login(.key(prefix: $0.prefix)) }
        }
    }
}
