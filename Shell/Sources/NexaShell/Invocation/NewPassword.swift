/// Asks a person for a new password, on the terminal itself and twice.
enum NewPassword {
    /// - Parameter signals: readable when a signal was noted.
    static func ask(for user: String, signals: CInt) -> Result<String, PasswordError> {
        let name = TerminalText.harmless(user)
        do throws(PasswordError) {
            let password = try PasswordFinder.prompt(
                "New password for \(name): ", signals: signals, otherWays: "--password-file FILE")
            guard !password.isEmpty else { throw .unusable("the password is empty; nothing was changed") }
            guard try PasswordFinder.prompt("Again: ", signals: signals) == password else {
                throw .unusable("the passwords differ; nothing was changed")
            }
            return .success(password)
        } catch {
            return .failure(error)
        }
    }
}

extension ShellError {
    /// Why a command has no password.
    init(_ error: PasswordError) {
        switch error {
        case .signal: self.init("Cancelled", exit: .interrupted)
        case .unusable(let reason): self.init(reason, exit: .usage)
        }
    }
}
