import NexaEngine
import NexaProtocol

/// Users change while they are connected. A change counts from the next message on, and at once for what
/// the server sends by itself.
extension Session {
    static let loginEnded = RequestError(
        "The login has ended: the user was deleted, or the password or the API key is no longer valid",
        code: .notAuthenticated)

    /// Looks at the user again if some user was changed; costs a load otherwise.
    func refreshLogin() {
        let generation = shared.engine.userGeneration
        guard generation != seenUserGeneration, !isChangingOwnPassword, let userLogin,
            case .user(let user, let capabilities) = login
        else { return }
        seenUserGeneration = generation
        guard let now = shared.engine.current(userLogin) else { return endLogin() }
        guard now.user != user else { return }
        self.userLogin = now
        login = .user(now.user, capabilities: capabilities)
        // What was written in it may not be permitted any more.
        transaction?.abort(because: "The permissions of the user were changed; begin again")
    }

    /// Some user was changed: subscriptions and idle sessions do not wait for a message.
    func usersChanged() {
        refreshLogin()
        if hasLoginEnded { return closeAfterReplies() }
        if let subscription, currentReader(subscription) == nil { endForbiddenSubscription() }
    }

    /// The session goes on with the password that it has just set.
    func renew(_ userLogin: UserLogin) {
        self.userLogin = userLogin
        seenUserGeneration = .max
    }

    private func endLogin() {
        audit("session-ended", [("reason", "the user, the password or the key is gone")])
        hasLoginEnded = true
        userLogin = nil
        login = .none(failures: 0)
        endSubscription()
        running?.cancel()
        endOfTransaction()?.abort(because: "The login has ended")
    }
}
