import NexaEngine
import NexaProtocol

/// The audit trail: a line for each event that someone who looks after the server wants to find again.
///
/// Every line begins with `audit event=…` and says who it was and from where. Names and numbers only: no password,
/// no key, no document.
extension Session {
    /// Says what the user of this session did.
    func audit(_ event: String, _ values: [(String, String)] = [], level: ServerLog.Level = .info) {
        var user = userLogin?.user.name ?? ""
        if user.isEmpty, case .user(let known, _) = login { user = known.name }
        audit(event, user: user, values, level: level)
    }

    /// Says what somebody did or tried who goes by that name.
    func audit(_ event: String, user: String, _ values: [(String, String)] = [], level: ServerLog.Level = .info) {
        shared.configuration.log(
            level, "audit",
            [("event", event), ("user", String(user.prefix(120))), ("peer", peerName)]
                + values.map { ($0, String($1.prefix(1000))) })
    }

    /// A request was refused. Whoever is refused all the time does not fill the disk: the first hundred of a
    /// connection have a line, then the 128th, the 256th and so on.
    func auditRefusal(_ request: Request, _ refusal: RequestError) {
        refusalCount += 1
        guard refusalCount <= 100 || refusalCount & (refusalCount - 1) == 0 else { return }
        audit(
            "permission-denied",
            [("message", "\(request.type)"), ("reason", refusal.message), ("count", "\(refusalCount)")],
            level: .warning)
    }
}
