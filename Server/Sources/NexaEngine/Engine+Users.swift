public import NexaSCRAM
import Synchronization

extension Engine {
    /// The name of the first user.
    public static let rootName = "root"
    /// The password of `root` under `insecureDefaults`, for the tutorials of 3.0.
    public static let insecureRootPassword = "nexadb123"

    /// True when there is no user at all yet.
    public var needsBootstrap: Bool { users.all.isEmpty }

    /// Makes `root` with the role `admin` in a directory that has no users; otherwise does nothing.
    ///
    /// - Parameter password: the password, or `nil` to make one up.
    /// - Returns: the password that was made up, to be shown once.
    /// - Throws: `.badRequest` or `.limit` for an unusable password, `.storage`.
    public func bootstrapRoot(password: String?) throws(EngineError) -> String? {
        needsBootstrap ? try resetRoot(password: password) : nil
    }

    /// Gives `root` a password and the role `admin`, whether the user was there or not; blocks.
    ///
    /// - Parameter password: the password, or `nil` to make one up.
    /// - Returns: the password that was made up, to be shown once.
    /// - Throws: `.badRequest` or `.limit` for an unusable password, `.storage`.
    public func resetRoot(password: String?) throws(EngineError) -> String? {
        var generated: String?
        if password == nil {
            generated = SystemRandom.password()
            guard generated != nil else {
                throw EngineError(.storage, "The system has no randomness for a password")
            }
        }
        try users.put(
            Self.rootName, role: .admin, password: password ?? generated, isNew: user(named: Self.rootName) == nil)
        return generated
    }

    /// A user by name.
    public func user(named name: String) -> User? { users.user(name) }

    /// All users, sorted by name.
    public func allUsers() -> [User] { users.all }

    /// Everything that administrators may see of all users, sorted by name.
    public func userDescriptions() -> [UserDescription] { users.descriptions }

    // MARK: Logging in

    /// Checks a password with Argon2id: some 25 ms of a core, so call it on a worker thread.
    ///
    /// An API key of the user is as good as the password.
    public func logIn(username: String, password: String) -> UserLogin? { users.logIn(username, password) }

    /// Checks against the API keys and the last right password only: about 10 µs. `nil` means that `logIn` decides.
    public func logInFast(username: String, password: String) -> UserLogin? { users.logInFast(username, password) }

    /// The login of someone whom the system vouches for; `nil` when there is no such user.
    public func logInTrusted(username: String) -> UserLogin? { users.trusted(username) }

    /// What a SCRAM login is checked against: the first is that of the password, the others of API keys; all have
    /// the same salt. A user who does not exist has one too, that no password leads to.
    ///
    /// `nil` for a user whose password was set before servers knew SCRAM: `logIn` with the right password makes one.
    public func scramVerifiers(username: String) -> [ScramVerifier]? { users.scramVerifiers(username) }

    /// The login by a verifier that a proof was right for, if the user still has it.
    public func logIn(username: String, provenFor verifier: ScramVerifier) -> UserLogin? {
        users.logIn(username, provenFor: verifier)
    }

    /// Changes whenever a user was changed: what was found out about logins before may not hold any more.
    public var userGeneration: UInt64 { users.generation.load(ordering: .acquiring) }

    /// The login with the user as of now; `nil` when it ended with its user, its password or its key.
    public func current(_ login: UserLogin) -> UserLogin? { users.current(login) }

    /// Notes that a login was used; true when `recordLogin` is due, which blocks.
    public func noteLogin(_ login: UserLogin) -> Bool { users.note(login) }

    /// Stores the time of a login; blocks.
    public func recordLogin(_ login: UserLogin) { users.recordLogin(login) }

    /// Puts a user into the state of one whose password was set before there was SCRAM.
    @_spi(Testing) public func forgetScramVerifier(of name: String) throws(EngineError) {
        try users.forgetVerifier(name)
    }

    // MARK: Changing

    /// Makes a user; blocks for the hash and the commit. `.badRequest` when the name is taken.
    ///
    /// - Parameter grants: what the user may do, by database, in place of the role; see `User.grants`.
    public func createUser(
        _ name: String, password: String, role: User.Role, grants: [String: DatabaseAccess]? = nil
    ) throws(EngineError) {
        try users.put(name, role: role, password: password, grants: .replace(grants), isNew: true)
    }

    /// Changes the role, the grants or the password of a user; blocks. `.notFound` when there is no such user.
    ///
    /// A new password ends all logins by the old one. API keys stay.
    /// - Returns: a login that goes on, for whoever changed his own password.
    /// - Throws: `.badRequest` also for another role for `root`.
    @discardableResult
    public func changeUser(
        _ name: String, password: String? = nil, role: User.Role? = nil, grants: GrantChange = .none
    ) throws(EngineError) -> UserLogin {
        guard name != Self.rootName || role == nil || role == .admin else {
            throw EngineError(.badRequest, "Cannot change the role of root: it is always admin")
        }
        return try users.put(name, role: role, password: password, grants: grants, isNew: false)
    }

    /// Removes a user; blocks for the commit. `.notFound` when there is no such user, `.badRequest` for `root`.
    public func dropUser(_ name: String) throws(EngineError) {
        guard name != Self.rootName else { throw EngineError(.badRequest, "Cannot delete root user") }
        try users.remove(name)
    }

    /// Makes an API key, which logs its user in in place of the password; blocks for the commit.
    ///
    /// - Returns: the key, which is not to be had again, and what can be told of it.
    /// - Throws: `.notFound` without such a user, `.limit` for more than 64 keys or too long a label.
    public func makeAPIKey(
        for name: String, label: String = ""
    ) throws(EngineError) -> (key: String, description: APIKeyDescription) {
        try users.makeKey(name, label: label)
    }

    /// The API keys of a user, oldest first. `.notFound` when there is no such user.
    public func apiKeys(of name: String) throws(EngineError) -> [APIKeyDescription] { try users.keys(name) }

    /// Revokes the key with this prefix, and ends the logins by it; blocks. `.notFound` when there is none.
    public func revokeAPIKey(of name: String, prefix: String) throws(EngineError) {
        try users.revokeKey(name, prefix: prefix)
    }
}
