public import NexaSCRAM

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

    /// Checks a password with Argon2id: some 25 ms of a core, so call it on a worker thread.
    public func verify(username: String, password: String) -> User? { users.verify(username, password) }

    /// Checks a password against the last right one only: about 10 µs. `nil` means that `verify` decides.
    public func verifyFast(username: String, password: String) -> User? { users.verifyFast(username, password) }

    /// What a SCRAM login is checked against. A user who does not exist has one too, that no password leads to.
    ///
    /// `nil` for a user whose password was set before servers knew SCRAM: `verify` with the right password makes one.
    public func scramVerifier(username: String) -> ScramVerifier? { users.scramVerifier(username) }

    /// The user, if the verifier is still the one of the user's password.
    public func user(named name: String, with verifier: ScramVerifier) -> User? {
        users.user(name, with: verifier)
    }

    /// Puts a user into the state of one whose password was set before there was SCRAM.
    @_spi(Testing) public func forgetScramVerifier(of name: String) throws(EngineError) {
        try users.forgetVerifier(name)
    }

    /// Makes a user; blocks for the hash and the commit. `.badRequest` when the name is taken.
    public func createUser(_ name: String, password: String, role: User.Role) throws(EngineError) {
        try users.put(name, role: role, password: password, isNew: true)
    }

    /// Changes the role or the password of a user; blocks. `.notFound` when there is no such user.
    public func changeUser(_ name: String, password: String? = nil, role: User.Role? = nil) throws(EngineError) {
        try users.put(name, role: role, password: password, isNew: false)
    }

    /// Removes a user; blocks for the commit. `.notFound` when there is no such user.
    public func dropUser(_ name: String) throws(EngineError) { try users.remove(name) }
}
